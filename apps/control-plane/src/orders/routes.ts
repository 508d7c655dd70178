/** Orders to one device: what approvers signed is brought here, verified as the device will, and delivered. The server can add nothing to it and make none. */
import { MAX_ORDER, OrderKind } from '@cordon/policy/protocol/orders.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { verifyMaintenance, verifyRetirement } from '@cordon/policy/trust/orders.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import { findDeviceKey } from '../devices/devices.ts';
import { conflict, notFound } from '../errors.ts';
import { ById } from '../paging.ts';
import { machineBootOf } from '../tampering/integrity.ts';
import { OrderView, showOrder } from './order.ts';
import { findOrder, insertOrder, listOrders } from './store.ts';

const MOST = 50;
const closed = { additionalProperties: false } as const;

export const registerOrders: Feature = (app, { prisma, clock, organisation }) => {
  const tags = ['devices'];

  app.get(
    '/devices/:id/orders',
    {
      config: { permission: 'devices.read' },
      schema: {
        tags,
        summary: 'Maintenance grants and retirements of a device, the newest fifty, with its answers',
        params: ById,
        response: { 200: Type.Object({ items: Type.Array(OrderView) }, closed) },
      },
    },
    async ({ params: { id } }) => ({ items: (await listOrders(prisma, id, MOST)).map((row) => showOrder(row, clock())) }),
  );

  app.post(
    '/devices/:id/orders',
    {
      config: { permission: 'devices.write' },
      schema: {
        tags,
        summary: 'Bring a maintenance grant or a retirement that approvers signed (cordonctl maintenance grant, cordonctl retire)',
        params: ById,
        body: Type.Object({ order: OrderKind, text: Type.String({ minLength: 1, maxLength: MAX_ORDER }) }, closed),
        response: { 200: OrderView },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { order: kind, text } = request.body;
      const now = clock();
      const device = await findDeviceKey(prisma, id);
      if (device === undefined) throw notFound('device', id);
      if (!['active', 'pending'].includes(device.standing))
        throw conflict(
          'device.ended',
          `this device is ${device.standing} and has no session any more: take the file to it (cordonctl retire --out FILE, there cordon leave FILE)`,
        );
      const root = await verifyRootChain(organisation.roots, organisation.fingerprint, now);
      const context = { root, device: id, now };
      const { expiresAt } =
        kind === 'maintenance'
          ? await verifyMaintenance(text, context, await machineBootOf(prisma, id))
          : await verifyRetirement(text, context);
      const digest = sha256Hex(text);
      const createdBy = actorOf(request).name;
      const row = await prisma.$transaction(async (tx) => {
        if (await insertOrder(tx, { digest, device: id, kind, text, expiresAt: new Date(expiresAt), createdBy, at: now }))
          await appendAudit(tx, { actor: createdBy, action: `device.${kind}`, subject: id, detail: { order: digest, expiresAt }, at: now });
        return findOrder(tx, digest);
      });
      if (row === null) throw notFound('order', digest);
      return showOrder(row, now);
    },
  );
};
