/** What replicas tell each other about sessions, inside the transaction that made it so: they hear of it when, and only if, that commits. */
import type { Tx } from '../context.ts';

/** The PostgreSQL channel. */
export const SESSIONS_CHANNEL = 'cordon_sessions';

/** Why sessions end everywhere; the reasons that devices are told. */
export const ENDINGS = ['device.revoked', 'device.retired', 'device.rejected', 'device.rekeyed'] as const;
export type Ending = (typeof ENDINGS)[number];

export type Notice =
  | { readonly kind: 'end'; readonly reason: Ending; readonly devices: readonly string[] }
  /** These devices have a session of this number somewhere: earlier ones are over. */
  | { readonly kind: 'join'; readonly joins: readonly (readonly [device: string, joins: number])[] };

/** A notification holds less than 8000 bytes: an id has 24, a number at most 10. */
const AT_ONCE = 180;

const chunks = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / AT_ONCE) }, (_, i) => items.slice(i * AT_ONCE, (i + 1) * AT_ONCE));

/** One text a notification. */
export const noticeTexts = (notice: Notice): string[] =>
  notice.kind === 'end'
    ? chunks(notice.devices).map((devices) => ['end', notice.reason, ...devices].join(' '))
    : chunks(notice.joins).map((joins) => ['join', ...joins.map(([device, number]) => `${device}:${number}`)].join(' '));

/** @returns undefined for what this version does not know */
export const readNotice = (text: string): Notice | undefined => {
  const [kind, ...words] = text.split(' ');
  if (kind === 'join')
    return {
      kind,
      joins: words.flatMap((word) => {
        const [, device, number] = /^([A-Za-z0-9_-]{1,64}):([0-9]{1,10})$/.exec(word) ?? [];
        return device === undefined ? [] : [[device, Number(number)] as const];
      }),
    };
  const reason = ENDINGS.find((ending) => ending === words[0]);
  return kind === 'end' && reason !== undefined ? { kind, reason, devices: words.slice(1) } : undefined;
};

export const notifySessions = async (tx: Tx, notice: Notice): Promise<void> => {
  for (const text of noticeTexts(notice)) await tx.$executeRaw`SELECT pg_notify(${SESSIONS_CHANNEL}, ${text})`;
};
