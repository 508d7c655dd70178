/** From waiting to the end: approve and reject what waits, revoke, retire, and settle a finding. */
import { Type, type Static } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Context, Feature } from '../context.ts';
import { conflict, notFound } from '../errors.ts';
import { ById } from '../paging.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { CLONE_FINDING, DeviceView, showDevice } from './device.ts';
import { endDevices } from './end.ts';
import type { End } from './standing.ts';
import { clearFinding, findDevice, lockStandings, markApproved } from './store.ts';

const closed = { additionalProperties: false } as const;
/** Each has its own audit entry, in one transaction. */
const MAX_AT_ONCE = 200;

const Bulk = Type.Object(
  { devices: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: MAX_AT_ONCE, uniqueItems: true }) },
  closed,
);
const Results = Type.Object(
  {
    results: Type.Array(
      Type.Object({ device: Type.String(), done: Type.Boolean(), code: Type.Union([Type.String(), Type.Null()]) }, closed),
    ),
  },
  closed,
);

/** @returns which were waiting, and now are placed */
const approveDevices = async (
  context: Context,
  devices: readonly string[],
  actor: string,
): Promise<{ readonly approved: readonly string[]; readonly known: ReadonlySet<string> }> => {
  const at = context.clock();
  const result = await context.prisma.$transaction(async (tx) => {
    const known = await lockStandings(tx, devices);
    const waiting = [...known.values()].filter(({ standing }) => standing === 'pending');
    const approved = waiting.map(({ id }) => id);
    await markApproved(tx, approved, at);
    for (const { id, name } of waiting) await appendAudit(tx, { actor, action: 'device.approve', subject: id, detail: { name }, at });
    return { approved, known: new Set(known.keys()) };
  });
  if (result.approved.length > 0) {
    await onMembershipChanged(context, result.approved);
    context.stored.emit(result.approved);
  }
  return result;
};

const resultsOf = (asked: readonly string[], done: readonly string[], known: ReadonlySet<string>): Static<typeof Results> => ({
  results: asked.map((device) =>
    done.includes(device)
      ? { device, done: true, code: null }
      : { device, done: false, code: known.has(device) ? 'device.not-pending' : 'device.not-found' },
  ),
});

export const registerDeviceLifecycle: Feature = (app, context) => {
  const { prisma, clock } = context;
  const tags = ['devices'];
  const config = { permission: 'devices.write' } as const;

  app.post(
    '/devices/approve',
    {
      config,
      schema: {
        tags,
        summary: 'Let devices in that wait for an administrator; they get their place at once',
        body: Bulk,
        response: { 200: Results },
      },
    },
    async (request) => {
      const { devices } = request.body;
      const { approved, known } = await approveDevices(context, devices, actorOf(request).name);
      return resultsOf(devices, approved, known);
    },
  );

  app.post(
    '/devices/reject',
    {
      config,
      schema: {
        tags,
        summary: 'Turn away devices that wait for an administrator; their ids and keys are never used again',
        body: Bulk,
        response: { 200: Results },
      },
    },
    async (request) => {
      const { devices } = request.body;
      const { ended, known } = await endDevices(context, { devices, end: 'rejected', actor: actorOf(request).name });
      return resultsOf(devices, ended, known);
    },
  );

  /** @throws Refusal device.not-found, device.ended */
  const endOne = async (id: string, end: End, actor: string): Promise<DeviceView> => {
    const { known } = await endDevices(context, { devices: [id], end, actor });
    const device = known.has(id) ? await findDevice(prisma, id) : null;
    if (device === null) throw notFound('device', id);
    const view = showDevice(device);
    // Asked twice is done once; a tombstone is no other one.
    if (view.state !== end && !(end === 'revoked' && view.state === 'retired'))
      throw conflict('device.ended', `device ${id} is ${view.state} already, which is final`);
    return view;
  };

  const revoke = {
    tags,
    summary: 'End its sessions for good. It goes on enforcing what it has until that expires',
    params: ById,
    response: { 200: DeviceView },
  };
  app.post('/devices/:id/revoke', { config, schema: revoke }, (request) => endOne(request.params.id, 'revoked', actorOf(request).name));

  const retire = {
    tags,
    summary: 'Take it out of the fleet: its place is vacant, a tombstone stays, its id and keys are never used again',
    params: ById,
    response: { 200: DeviceView },
  };
  app.post('/devices/:id/retire', { config, schema: retire }, (request) => endOne(request.params.id, 'retired', actorOf(request).name));

  app.post(
    '/devices/:id/settle',
    {
      config,
      schema: {
        tags,
        summary: 'Close a finding after looking into it; if its cause is still there, it comes again',
        params: ById,
        body: Type.Object({ finding: Type.Literal(CLONE_FINDING) }, closed),
        response: { 200: DeviceView },
      },
    },
    async (request) => {
      const { id } = request.params;
      const view = await prisma.$transaction(async (tx) => {
        const before = await findDevice(tx, id);
        if (before === null) throw notFound('device', id);
        if (await clearFinding(tx, id)) {
          const { findings } = showDevice(before);
          const detail = { finding: CLONE_FINDING, kind: findings[0]?.kind ?? null };
          await appendAudit(tx, { actor: actorOf(request).name, action: 'device.settle', subject: id, detail, at: clock() });
        }
        return showDevice((await findDevice(tx, id)) ?? before);
      });
      context.stored.emit([id]);
      return view;
    },
  );
};
