/** What runs accessed or were denied, newest received first. */
import { Type, type Static } from 'typebox';
import type { Feature } from '../context.ts';
import type { TelemetryEvent } from '../db/generated/client.ts';
import { badRequest } from '../errors.ts';
import { Page } from '../paging.ts';
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
const Filter = Type.Object(
  {
    device: Type.Optional(Type.String({ maxLength: 64 })),
    run: Type.Optional(Type.String({ maxLength: 64 })),
    kind: Type.Optional(Type.String({ maxLength: 32 })),
    verdict: Type.Optional(Type.String({ maxLength: 32 })),
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

const encode = ({ receivedAt, deviceId, boot, seq }: TelemetryEvent): string =>
  Buffer.from(`${receivedAt.toISOString()} ${deviceId} ${boot} ${seq}`).toString('base64url');

const decode = (cursor: string): { at: Date; device: string; boot: string; seq: number } => {
  const [time = '', device = '', boot = '', number = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const at = new Date(time);
  if (Number.isNaN(at.getTime()) || !/^\d{1,9}$/.test(number))
    throw badRequest('request.cursor', 'the cursor is not one that this list gave; leave it out to begin at the start', 'cursor');
  return { at, device, boot, seq: Number(number) };
};

export const registerTelemetry: Feature = (app, { prisma }) => {
  app.get(
    '/telemetry/events',
    { config: { permission: 'telemetry.read' }, schema: { tags: ['telemetry'], querystring: Filter, response: { 200: Page(Event) } } },
    async ({ query: { limit = 50, cursor, ...filter } }) => {
      const rows = await listEvents(prisma, filter, cursor === undefined ? undefined : decode(cursor), limit + 1);
      const last = rows[limit - 1];
      return { items: rows.slice(0, limit).map(show), next: rows.length > limit && last !== undefined ? encode(last) : null };
    },
  );
};
