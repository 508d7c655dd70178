/** Devices: list, look, revoke. They come into being by enrollment. */
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import { notFound } from '../errors.ts';
import { ById, Page, pageOf } from '../paging.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { DeviceView, showDevice } from './device.ts';
import { findDevice, listDevices, markRevoked } from './store.ts';

const Query = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 256, pattern: '^[A-Za-z0-9_-]+$' })),
    group: Type.Optional(Type.String({ maxLength: 64 })),
    state: Type.Optional(Type.String({ maxLength: 32 })),
    name: Type.Optional(Type.String({ maxLength: 128, description: 'Begins with' })),
  },
  { additionalProperties: false },
);

export const registerDevices: Feature = (app, context) => {
  const { prisma, clock, hub } = context;
  const tags = ['devices'];

  app.get(
    '/devices',
    { config: { permission: 'devices.read' }, schema: { tags, querystring: Query, response: { 200: Page(DeviceView) } } },
    async (request) => {
      const { limit = 50, cursor, group, state, name } = request.query;
      const rows = await listDevices(prisma, { group, state, name }, limit, cursor);
      return pageOf(rows, limit, ({ enrolledAt, id }) => ({ at: enrolledAt, id }), showDevice);
    },
  );

  app.get(
    '/devices/:id',
    { config: { permission: 'devices.read' }, schema: { tags, params: ById, response: { 200: DeviceView } } },
    async (request) => {
      const device = await findDevice(prisma, request.params.id);
      if (device === null) throw notFound('device', request.params.id);
      return showDevice(device);
    },
  );

  app.post(
    '/devices/:id/revoke',
    {
      config: { permission: 'devices.write' },
      schema: {
        tags,
        summary: 'End its sessions for good. It goes on enforcing what it has until that expires',
        params: ById,
        response: { 200: DeviceView },
      },
    },
    async (request) => {
      const { id } = request.params;
      const at = clock();
      const changed = await prisma.$transaction(async (tx) => {
        const device = await findDevice(tx, id);
        if (device === null) throw notFound('device', id);
        if (!(await markRevoked(tx, id, at))) return false;
        await appendAudit(tx, { actor: actorOf(request).name, action: 'device.revoke', subject: id, detail: { name: device.name }, at });
        return true;
      });
      if (changed) {
        hub.disconnect(id, CLOSE.revoked, 'revoked');
        await onMembershipChanged(context, [id]);
      }
      const device = await findDevice(prisma, id);
      if (device === null) throw notFound('device', id);
      return showDevice(device);
    },
  );
};
