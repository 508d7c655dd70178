/** Compliance of the fleet and of one device, with reasons. */
import { Type } from 'typebox';
import type { Feature } from '../context.ts';
import { notFound } from '../errors.ts';
import { judge, STATES } from './compliance.ts';
import { countStates, readFacts } from './store.ts';

const closed = { additionalProperties: false } as const;
const Text = Type.Union([Type.String(), Type.Null()]);
const Count = Type.Union([Type.Integer(), Type.Null()]);
const State = Type.Enum([...STATES]);

const Summary = Type.Object({ total: Type.Integer(), states: Type.Record(Type.String(), Type.Integer()), evaluatedAt: Text }, closed);
const DeviceCompliance = Type.Object(
  {
    device: Type.String(),
    state: State,
    reasons: Type.Array(Type.Object({ code: Type.String(), state: State, detail: Type.String() }, closed)),
    desired: Type.Object({ digest: Text, serial: Count, cohort: Text, since: Text }, closed),
    enforced: Type.Object({ digest: Text, serial: Count, epoch: Count, phase: Text, code: Text, at: Text }, closed),
    selfTest: Type.Union([
      Type.Object(
        {
          at: Type.String(),
          digest: Type.String(),
          passed: Type.Boolean(),
          checks: Type.Array(Type.Object({ name: Type.String(), passed: Type.Boolean(), detail: Type.String() }, closed)),
        },
        closed,
      ),
      Type.Null(),
    ]),
    assurance: Text,
    lastSeenAt: Text,
  },
  closed,
);

export const registerCompliance: Feature = (app, { pool, clock }) => {
  const config = { permission: 'compliance.read' as const };

  const summary = {
    tags: ['compliance'],
    summary: 'How many devices are in which state; those that ended or wait for an administrator are not counted',
    response: { 200: Summary },
  };
  app.get('/compliance/summary', { config, schema: summary }, async () => {
    const rows = await countStates(pool);
    const evaluated = rows.flatMap(({ evaluatedAt }) => evaluatedAt?.getTime() ?? []);
    return {
      total: rows.reduce((sum, { devices }) => sum + devices, 0),
      states: Object.fromEntries(STATES.map((state) => [state, rows.find((row) => row.state === state)?.devices ?? 0])),
      evaluatedAt: evaluated.length === 0 ? null : new Date(Math.max(...evaluated)).toISOString(),
    };
  });

  app.get(
    '/devices/:id/compliance',
    {
      config,
      schema: {
        tags: ['compliance'],
        summary: 'The state of one device now, with every reason',
        params: Type.Object({ id: Type.String({ maxLength: 64 }) }, closed),
        response: { 200: DeviceCompliance },
      },
    },
    async ({ params: { id } }) => {
      const [found] = await readFacts(pool, [id]);
      if (found === undefined) throw notFound('device', id);
      const { facts, cohort, desiredSerial, reportedSerial, reportedEpoch, selfTest } = found;
      const { desired, reported } = facts;
      const { state, reasons } = judge(facts, clock());
      return {
        device: id,
        state,
        reasons: [...reasons],
        desired: { digest: desired?.digest ?? null, serial: desiredSerial, cohort, since: desired?.since.toISOString() ?? null },
        enforced: {
          digest: reported?.phase === 'enforced' ? reported.digest : null,
          serial: reportedSerial,
          epoch: reportedEpoch,
          phase: reported?.phase ?? null,
          code: reported?.code ?? null,
          at: reported?.at.toISOString() ?? null,
        },
        selfTest: selfTest === null ? null : { ...selfTest, checks: selfTest.checks.map((check) => ({ ...check })) },
        assurance: facts.assurance,
        lastSeenAt: facts.lastSeenAt?.toISOString() ?? null,
      };
    },
  );
};
