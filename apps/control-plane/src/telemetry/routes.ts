/** What runs accessed or were denied, newest received first. */
import { Type, type Static } from 'typebox';
import type { TelemetryEvent as Sent } from '@cordon/policy/protocol/events.ts';
import type { Feature } from '../context.ts';
import type { TelemetryEvent } from '../db/generated/client.ts';
import { badRequest } from '../errors.ts';
import { Page } from '../paging.ts';
import { MAX_SEQ } from './chain.ts';
import { listEvents } from './store.ts';

const closed = { additionalProperties: false } as const;
const Text = Type.Union([Type.String(), Type.Null()]);

const Event = Type.Object(
  {
    device: Type.String(),
    boot: Type.String(),
    seq: Type.Integer(),
    at: Type.String(),
    receivedAt: Type.String(),
    kind: Type.String(),
    run: Text,
    agent: Text,
    osUser: Text,
    verdict: Text,
    rule: Text,
    target: Text,
    detail: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  },
  closed,
);
type Outcome =
  | Extract<Sent, { verdict: unknown }>['verdict']
  | Extract<Sent, { reason: unknown }>['reason']
  | Extract<Sent, { state: unknown }>['state']
  | Extract<Sent, { action: unknown }>['action']
  | 'passed'
  | 'failed';
/** A word that is mistyped would find nothing, which reads as if nothing had happened. */
const KINDS: Readonly<Record<Sent['kind'], true>> = {
  'run.started': true,
  'run.ended': true,
  'run.finding': true,
  'launch.refused': true,
  'run.notice': true,
  'run.token': true,
  egress: true,
  file: true,
  audit: true,
  flood: true,
  policy: true,
  selftest: true,
  daemon: true,
  'agent.uncontained': true,
  dropped: true,
};
const VERDICTS: Readonly<Record<Outcome, true>> = {
  allowed: true,
  denied: true,
  exited: true,
  killed: true,
  timeout: true,
  'setup-failed': true,
  activated: true,
  confirmed: true,
  rejected: true,
  stale: true,
  expired: true,
  started: true,
  maintenance: true,
  problem: true,
  reported: true,
  stopped: true,
  passed: true,
  failed: true,
};
const Filter = Type.Object(
  {
    device: Type.Optional(Type.String({ maxLength: 64 })),
    run: Type.Optional(Type.String({ maxLength: 64 })),
    kind: Type.Optional(Type.Enum(Object.keys(KINDS))),
    verdict: Type.Optional(Type.Enum(Object.keys(VERDICTS))),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 512, pattern: '^[A-Za-z0-9_-]+$' })),
  },
  closed,
);

const show = (event: TelemetryEvent): Static<typeof Event> => {
  const { deviceId: device, boot, seq, at, receivedAt, kind, run, agent, osUser, verdict, rule, target, detail } = event;
  return {
    device,
    boot,
    seq,
    at: at.toISOString(),
    receivedAt: receivedAt.toISOString(),
    kind,
    run,
    agent,
    osUser,
    verdict,
    rule,
    target,
    detail: detail as Record<string, unknown> | null,
  };
};

const encode = ({ receivedAt, deviceId, boot, seq }: Pick<TelemetryEvent, 'receivedAt' | 'deviceId' | 'boot' | 'seq'>): string =>
  Buffer.from(`${receivedAt.toISOString()} ${deviceId} ${boot} ${seq}`).toString('base64url');

const decode = (cursor: string): { at: Date; device: string; boot: string; seq: number } => {
  const [time = '', device = '', boot = '', number = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const at = new Date(time);
  const seq = Number(number);
  const isOurs = !Number.isNaN(at.getTime()) && [device, boot].every((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id)) && /^\d{1,10}$/.test(number);
  if (!isOurs || seq > MAX_SEQ || encode({ receivedAt: at, deviceId: device, boot, seq }) !== cursor)
    throw badRequest('request.cursor', 'the cursor is not one that this list gave; leave it out to begin at the start', 'cursor');
  return { at, device, boot, seq };
};

export const registerTelemetry: Feature = (app, { prisma }) => {
  app.get(
    '/telemetry/events',
    {
      config: { permission: 'telemetry.read' },
      schema: {
        tags: ['telemetry'],
        summary: 'What runs accessed or were denied, newest received first; kept for 90 days',
        querystring: Filter,
        response: { 200: Page(Event) },
      },
    },
    async ({ query: { limit = 50, cursor, ...filter } }) => {
      const rows = await listEvents(prisma, filter, cursor === undefined ? undefined : decode(cursor), limit + 1);
      const last = rows[limit - 1];
      return { items: rows.slice(0, limit).map(show), next: rows.length > limit && last !== undefined ? encode(last) : null };
    },
  );
};
