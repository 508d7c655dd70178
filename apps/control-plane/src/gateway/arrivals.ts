/** Devices that come with a ticket: each opens one session, the newest wins, and every replica hears of it. Those that come together are judged together. */
import { CLONE_FINDING } from '../devices/device.ts';
import { appendAudit } from '../audit/audit.ts';
import { afterJoin, judgeJoin } from '../auth/join.ts';
import type { Ticket } from '../auth/tickets.ts';
import type { Context, Tx } from '../context.ts';
import { coalesce } from '../publishing/coalesce.ts';
import { lockJoins, writeJoins, type Finding, type JoinRow, type JoinWrite } from './join-store.ts';
import { notifySessions, type Notice } from './notices.ts';

/**
 * - open: it may have its session.
 * - used: a ticket opens one channel, and none once a later session was opened.
 * - ended: the device was revoked, retired or rejected, or its key was replaced.
 */
export type Verdict = 'open' | 'used' | 'ended';

interface Arrival {
  readonly ticket: Ticket;
  verdict: Verdict;
  /** What was heard of meanwhile, and stands whatever the database said before. */
  overtaken: Exclude<Verdict, 'open'> | undefined;
}

const RANK = { restore: 1, clone: 2 } as const;
/** What is worse than what is known already is news; the same again is not. */
const isNews = (found: Finding, before: string | null): boolean =>
  before === null || RANK[found] > (before === 'clone' ? RANK.clone : RANK.restore);

/** Judges the arrivals of one device in the order of their numbers: the last that may opens its session. @returns what is kept then, if anything is new */
const judgeArrivals = (row: JoinRow | undefined, arrivals: readonly Arrival[]): JoinWrite | undefined => {
  let write: JoinWrite | undefined;
  let newest: Arrival | undefined;
  for (const arrival of arrivals.toSorted((a, b) => a.ticket.join.count - b.ticket.join.count)) {
    const { generation, join } = arrival.ticket;
    if (row === undefined || !row.alive || row.generation !== generation) continue;
    const judgement = judgeJoin(write ?? row, join);
    if (judgement === 'behind' || judgement === 'leaps') {
      arrival.verdict = 'used';
      continue;
    }
    if (newest !== undefined) newest.verdict = 'used';
    newest = arrival;
    arrival.verdict = 'open';
    const found = judgement === 'continues' ? write?.found : judgement;
    write = { device: row.device, ...afterJoin(write ?? row, join, judgement), found };
  }
  return write;
};

export interface Arrivals {
  /** Called once for each ticket that is presented. The arrival counts as under way until `open` or `refuse` has returned. */
  admit(ticket: Ticket, open: () => void, refuse: (verdict: Exclude<Verdict, 'open'>) => void): Promise<void>;
  /** How many are under way. */
  readonly waiting: number;
  /** What other replicas did meanwhile to sessions that are about to open here. */
  hear(notice: Notice): void;
}

type Needs = Pick<Context, 'prisma' | 'clock' | 'stored'>;

export const createArrivals = ({ prisma, clock, stored }: Needs): Arrivals => {
  const underWay = new Set<Arrival>();

  const write = async (tx: Tx, writes: readonly JoinWrite[], rows: ReadonlyMap<string, JoinRow>): Promise<readonly string[]> => {
    const at = clock();
    await writeJoins(tx, writes, at);
    await notifySessions(tx, { kind: 'join', joins: writes.map(({ device, count }) => [device, count]) });
    const news = writes.flatMap(({ device, count, found }) => {
      const row = rows.get(device);
      return found === undefined || row === undefined || !isNews(found, row.finding)
        ? []
        : [{ device, count, kind: found, known: row.count }];
    });
    for (const { device, ...detail } of news)
      await appendAudit(tx, { actor: `device:${device}`, action: CLONE_FINDING, subject: device, detail, at });
    return news.map(({ device }) => device);
  };

  const judge = coalesce<Arrival>(async (batch) => {
    const byDevice = Map.groupBy(batch, ({ ticket }) => ticket.device);
    const found = await prisma.$transaction(async (tx) => {
      const rows = await lockJoins(tx, [...byDevice.keys()]);
      const writes = [...byDevice].flatMap(([device, arrivals]) => judgeArrivals(rows.get(device), arrivals) ?? []);
      return writes.length === 0 ? [] : write(tx, writes, rows);
    });
    if (found.length > 0) stored.emit(found);
  });

  return {
    get waiting() {
      return underWay.size;
    },
    admit: async (ticket, open, refuse) => {
      const arrival: Arrival = { ticket, verdict: 'ended', overtaken: undefined };
      underWay.add(arrival);
      try {
        await judge([arrival]);
        const verdict = arrival.overtaken ?? arrival.verdict;
        if (verdict === 'open') open();
        else refuse(verdict);
      } finally {
        underWay.delete(arrival);
      }
    },
    hear: (notice) => {
      const joins = notice.kind === 'join' ? new Map(notice.joins) : undefined;
      for (const arrival of underWay) {
        const { device, join } = arrival.ticket;
        if (notice.kind === 'end' && notice.devices.includes(device))
          arrival.overtaken = notice.reason === 'device.rekeyed' ? 'used' : 'ended';
        else if ((joins?.get(device) ?? 0) > join.count) arrival.overtaken ??= 'used';
      }
    },
  };
};
