/** Judges hellos as they come, all that wait at once, and keeps what was found with its audit entry. */
import type { Integrity } from '@cordon/policy/protocol/orders.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { coalesce } from '../publishing/coalesce.ts';
import { readKnown, writeFinding, writeSaid, type KnownDevice } from './store.ts';
import { graver, judgeHello, type Finding } from './tampering.ts';

interface Said {
  readonly device: string;
  readonly integrity: Integrity | undefined;
}

export interface TamperingBook {
  /** Ends when it is judged; acknowledgements of this session must not be written before. */
  hear(device: string, integrity: Integrity | undefined): Promise<void>;
}

type Needs = Pick<Context, 'pool' | 'prisma' | 'clock' | 'stored'>;

/** One device may be there more than once: each hello is held against the one before. */
const judgeAll = (all: readonly Said[], known: ReadonlyMap<string, KnownDevice>): ReadonlyMap<string, Finding> => {
  const now = new Map(known);
  const found = new Map<string, Finding>();
  for (const { device, integrity } of all) {
    const before = now.get(device);
    if (before === undefined) continue;
    const finding = judgeHello(before, integrity);
    const standing = finding === undefined ? before.standing : graver(before.standing, finding.code);
    if (finding !== undefined && standing === finding.code) found.set(device, finding);
    const said = integrity && { ...integrity.accepted, state: integrity.state, counter: integrity.counter };
    now.set(device, { ...before, said: said ?? before.said, standing });
  }
  return found;
};

export const createTamperingBook = ({ pool, prisma, clock, stored }: Needs): TamperingBook => {
  const judge = coalesce<Said>(async (all) => {
    const known = await readKnown(pool, [...new Set(all.map(({ device }) => device))]);
    const found = judgeAll(all, known);
    const at = clock();
    // The last of each device, which nothing that came before it outlives.
    const said = new Map(
      all.flatMap(({ device, integrity }) => (integrity === undefined || !known.has(device) ? [] : [[device, integrity] as const])),
    );
    const plain = new Map([...said].filter(([device]) => !found.has(device)));
    if (plain.size > 0) await writeSaid(pool, plain, at);
    if (found.size === 0) return;
    await prisma.$transaction(async (tx) => {
      for (const [device, finding] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
        await writeFinding(tx, device, said.get(device), finding, at);
        await appendAudit(tx, { actor: 'system', action: finding.code, subject: device, detail: { detail: finding.detail }, at });
      }
    });
    stored.emit([...found.keys()]);
  });
  return { hear: (device, integrity) => judge([{ device, integrity }]) };
};
