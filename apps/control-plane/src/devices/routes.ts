/** Devices: list, look, rename. They come into being by enrollment. */
import { parseFilter } from '@cordon/policy/filter/parse.ts';
import { MAX_FILTER } from '@cordon/policy/filter/tokens.ts';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import { notFound } from '../errors.ts';
import { refreshMembers } from '../groups/dynamic.ts';
import { ById, etagOf, Page, PageQuery, pageOf, requireMatch } from '../paging.ts';
import { DeviceView, showDevice, type DeviceRow } from './device.ts';
import { DEVICE_FIELDS } from './filter.ts';
import { findDevice, listDevices, renameDevice } from './store.ts';

const Query = Type.Object(
  {
    ...PageQuery.properties,
    filter: Type.Optional(
      Type.String({
        maxLength: MAX_FILTER,
        description: `As \`os = linux and lastSeen < now-7d\`. Fields: ${Object.keys(DEVICE_FIELDS).join(', ')}`,
      }),
    ),
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
  const { prisma, clock } = context;
  const tags = ['devices'];

  app.get(
    '/devices',
    {
      config: { permission: 'devices.read' },
      schema: {
        tags,
        summary: 'Devices, newest first; those that wait and those that ended included',
        querystring: Query,
        response: { 200: Page(DeviceView) },
      },
    },
    async (request) => {
      const { limit = 50, cursor, filter } = request.query;
      const asked = filter === undefined ? undefined : parseFilter(filter, DEVICE_FIELDS);
      const rows = await listDevices(prisma, asked, limit, cursor, clock());
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
      await refreshMembers(context, { devices: [id] });
      return reply.header('etag', etagOf(device.version)).send(showDevice(device));
    },
  );
};
