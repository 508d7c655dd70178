/** Emergency: devices that launch nothing and reach nothing until they are released. What they enforce is taken away by their place, so it is signed, and holds offline. */
import { Type, type Static } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Context, Feature, Tx } from '../context.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { lockStandings, markQuarantined, markReleased } from './store.ts';

const closed = { additionalProperties: false } as const;
const MAX_AT_ONCE = 200;
const Devices = Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: MAX_AT_ONCE, uniqueItems: true });
const Results = Type.Object(
  {
    results: Type.Array(
      Type.Object({ device: Type.String(), done: Type.Boolean(), code: Type.Union([Type.String(), Type.Null()]) }, closed),
    ),
  },
  closed,
);

interface Wish {
  readonly devices: readonly string[];
  readonly actor: string;
  readonly action: 'device.quarantine' | 'device.release';
  /** Of an audit entry. */
  readonly detail: Readonly<Record<string, string>>;
  /** @returns which of them changed */
  mark(tx: Tx, devices: readonly string[], at: Date): Promise<readonly string[]>;
}

/** Asked twice is done once: `done` says how it stands now. */
const change = async (context: Context, { devices, actor, action, detail, mark }: Wish): Promise<Static<typeof Results>> => {
  const at = context.clock();
  const { known, changed } = await context.prisma.$transaction(async (tx) => {
    const standings = await lockStandings(tx, devices);
    const alive = [...standings.values()].filter(({ standing }) => standing === 'active' || standing === 'pending');
    const ids = await mark(
      tx,
      alive.map(({ id }) => id),
      at,
    );
    for (const { id, name } of alive)
      if (ids.includes(id)) await appendAudit(tx, { actor, action, subject: id, detail: { name, ...detail }, at });
    return { known: standings, changed: ids };
  });
  if (changed.length > 0) {
    await onMembershipChanged(context, changed);
    context.stored.emit(changed);
  }
  return {
    results: devices.map((device) => {
      const standing = known.get(device)?.standing;
      const isAlive = standing === 'active' || standing === 'pending';
      return { device, done: isAlive, code: isAlive ? null : standing === undefined ? 'device.not-found' : 'device.ended' };
    }),
  };
};

export const registerQuarantine: Feature = (app, context) => {
  const tags = ['devices'];
  const config = { permission: 'devices.write' } as const;

  app.post(
    '/devices/quarantine',
    {
      config,
      schema: {
        tags,
        summary:
          'Take every policy from devices at once: no new runs, those that run are ended, nothing is reached. Connected devices have it within a second',
        body: Type.Object({ devices: Devices, reason: Type.String({ minLength: 1, maxLength: 500 }) }, closed),
        response: { 200: Results },
      },
    },
    (request) => {
      const { devices, reason } = request.body;
      const actor = actorOf(request).name;
      const mark: Wish['mark'] = (tx, ids, at) => markQuarantined(tx, ids, reason, actor, at);
      return change(context, { devices, actor, action: 'device.quarantine', detail: { reason }, mark });
    },
  );

  app.post(
    '/devices/release',
    {
      config,
      schema: {
        tags,
        summary: 'Let quarantined devices have again what their groups give and people approved',
        body: Type.Object({ devices: Devices }, closed),
        response: { 200: Results },
      },
    },
    (request) => {
      const { devices } = request.body;
      const actor = actorOf(request).name;
      return change(context, { devices, actor, action: 'device.release', detail: {}, mark: (tx, ids) => markReleased(tx, ids) });
    },
  );
};
