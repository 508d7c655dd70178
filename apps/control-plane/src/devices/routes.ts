/** Devices: list, look, rename, revoke. They come into being by enrollment. */
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import { STATES } from '../compliance/compliance.ts';
import type { Feature } from '../context.ts';
import { notFound } from '../errors.ts';
import { ById, etagOf, Page, pageOf, requireMatch } from '../paging.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { DeviceView, showDevice, type DeviceRow } from './device.ts';
import { findDevice, listDevices, markRevoked, renameDevice } from './store.ts';

const Query = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 256, pattern: '^[A-Za-z0-9_-]+$' })),
    group: Type.Optional(Type.String({ maxLength: 64 })),
    state: Type.Optional(Type.Enum([...STATES])),
    name: Type.Optional(Type.String({ maxLength: 128, description: 'Begins with' })),
  },
  { additionalProperties: false },
);

/** @throws Refusal device.not-found */
const requireDevice = async (prisma: Parameters<typeof findDevice>[0], id: string): Promise<DeviceRow> => {
  const device = await findDevice(prisma, id);
  if (device === null) throw notFound('device', id);
  return device;
};

export const registerDevices: Feature = (app, context) => {
  const { prisma, clock, hub } = context;
  const tags = ['devices'];

  app.get(
    '/devices',
    {
      config: { permission: 'devices.read' },
      schema: { tags, summary: 'Devices, newest first, revoked ones included', querystring: Query, response: { 200: Page(DeviceView) } },
    },
    async (request) => {
      const { limit = 50, cursor, group, state, name } = request.query;
      const rows = await listDevices(prisma, { group, state, name }, limit, cursor);
      return pageOf(rows, limit, ({ enrolledAt, id }) => ({ at: enrolledAt, id }), showDevice);
    },
  );

  app.get(
    '/devices/:id',
    {
      config: { permission: 'devices.read' },
      schema: { tags, summary: 'One device, with the groups it is a member of', params: ById, response: { 200: DeviceView } },
    },
    async (request, reply) => {
      const device = await requireDevice(prisma, request.params.id);
      return reply.header('etag', etagOf(device.version)).send(showDevice(device));
    },
  );

  app.patch(
    '/devices/:id',
    {
      config: { permission: 'devices.write' },
      schema: {
        tags,
        summary: 'Rename it here; what it calls itself stays in its facts. Needs If-Match',
        params: ById,
        body: Type.Object({ name: Type.String({ minLength: 1, maxLength: 128 }) }, { additionalProperties: false }),
        response: { 200: DeviceView },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { name } = request.body;
      const device = await prisma.$transaction(async (tx) => {
        const { name: before, version } = await requireDevice(tx, id);
        requireMatch(request.headers['if-match'], version);
        if (!(await renameDevice(tx, id, version, name))) requireMatch('"0"', version + 1);
        const detail = { from: before, to: name };
        await appendAudit(tx, { actor: actorOf(request).name, action: 'device.rename', subject: id, detail, at: clock() });
        return requireDevice(tx, id);
      });
      return reply.header('etag', etagOf(device.version)).send(showDevice(device));
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
        const device = await requireDevice(tx, id);
        if (!(await markRevoked(tx, id, at))) return false;
        await appendAudit(tx, { actor: actorOf(request).name, action: 'device.revoke', subject: id, detail: { name: device.name }, at });
        return true;
      });
      if (changed) {
        hub.disconnect(id, CLOSE.revoked, 'device.revoked');
        await onMembershipChanged(context, [id]);
      }
      return showDevice(await requireDevice(prisma, id));
    },
  );
};
