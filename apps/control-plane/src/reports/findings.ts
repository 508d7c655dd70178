/** What did not fit in a device's reports: written down once each, with an audit entry for what an administrator should look at. */
import { setTimeout as wait } from 'node:timers/promises';
import { appendAudit } from '../audit/audit.ts';
import type { Context, Tx } from '../context.ts';
import { insertFindings } from './store.ts';

/**
 * - duplicate: a batch came again after it was stored. The protocol does so when an acknowledgement is lost: counted, and nothing else.
 * - gap: numbers are missing. What the device itself had to drop is counted by an event and is no gap.
 * - fork: two contents for one number, or a batch that follows another history.
 * - the others: what verifying a signed head found.
 */
export type FindingKind = 'duplicate' | 'gap' | 'fork' | 'wrong-signature' | 'not-reached' | 'contradicts';

export interface Finding {
  readonly device: string;
  readonly kind: FindingKind;
  readonly boot: string;
  /** Number of the event where it shows. */
  readonly seq: number;
  /** Of the batch or head that shows it: the same thing again is the same finding. */
  readonly hash: string;
  readonly detail: Readonly<Record<string, string | number | null>>;
}

/** Writes what is new of these. The audit log is locked from here to the end of the transaction. @returns how many are new */
export const recordFindings = async (tx: Tx, findings: readonly Finding[], at: Date): Promise<number> => {
  const fresh = await insertFindings(tx, findings, at);
  for (const { device, kind, boot, seq, hash, detail } of fresh)
    if (kind !== 'duplicate')
      await appendAudit(tx, { actor: 'system', action: `report.${kind}`, subject: device, detail: { boot, seq, hash, ...detail }, at });
  return fresh.length;
};

/** How long a finding waits for others. */
const LINGER_MS = 20;
const LARGEST_WRITE = 100;

interface Waiting {
  readonly finding: Finding;
  readonly done: (outcome: Promise<void>) => void;
}

/** Findings of many devices, written in common. */
export class FindingBook {
  readonly #context: Pick<Context, 'prisma' | 'clock'>;
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(context: Pick<Context, 'prisma' | 'clock'>) {
    this.#context = context;
  }

  /** Ends when it is written down: whoever tells the device of it does so after that, so no crash loses it. @throws what the database says */
  record(finding: Finding): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ finding, done: resolve });
      if (!this.#writing) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      await wait(LINGER_MS);
      const batch = this.#waiting.splice(0, LARGEST_WRITE);
      const { prisma, clock } = this.#context;
      const findings = batch.map(({ finding }) => finding);
      const written = prisma.$transaction((tx) => recordFindings(tx, findings, clock())).then(() => undefined);
      for (const { done } of batch) done(written);
      await written.catch(() => undefined); // each of those who wait is told
    }
    this.#writing = false;
  }
}
