/** What becomes of a batch that does not simply follow what is queued: judged by what is stored, found out before anything is said of it. */
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { FastifyBaseLogger } from 'fastify';
import type { FindingBook } from '../reports/findings.ts';
import { firstDifference, judge, type ChainEnd, type Verdict } from './chain.ts';
import type { TelemetryStore } from './store.ts';

export type Log = Pick<FastifyBaseLogger, 'warn' | 'error'>;

export type Decision =
  /** It is written. */
  | { readonly kind: 'take' }
  /** All up to here is stored. */
  | { readonly kind: 'acknowledge'; readonly seq: number }
  | Complaint;

export interface Complaint {
  readonly kind: 'complain';
  readonly code: 'telemetry.gap' | 'telemetry.fork';
  readonly detail: string;
}

const complaint = (kind: 'gap' | 'fork', { boot, seqFrom, seqTo }: TelemetryFrame, end: ChainEnd | undefined, at = seqFrom): Complaint => ({
  kind: 'complain',
  code: `telemetry.${kind}`,
  detail:
    kind === 'gap'
      ? `boot ${boot}: expected the batch that follows ${end === undefined ? 'nothing' : `sequence ${end.seq}`}, got ${seqFrom} to ${seqTo}`
      : `boot ${boot}: ${seqFrom} to ${seqTo} contradicts what was sent before, from ${at} on`,
});

export interface Deciding {
  readonly store: Pick<TelemetryStore, 'eventsOf'>;
  readonly findings: Pick<FindingBook, 'record'>;
  readonly log: Log;
}

/** @param end of the chain as the database has it. @throws what the database says: then nothing was found */
export const decide = async (
  { store, findings, log }: Deciding,
  device: string,
  frame: TelemetryFrame,
  end: ChainEnd | undefined,
): Promise<Decision> => {
  const { boot, seqFrom, seqTo, hash } = frame;
  const find = (kind: 'duplicate' | 'gap' | 'fork', seq: number): Promise<void> =>
    findings.record({ device, kind, boot, seq, hash, detail: { seqFrom, seqTo, stored: end?.seq ?? 0 } });
  const refuse = async (kind: 'gap' | 'fork', at: number): Promise<Complaint> => {
    log.warn(
      { device, boot, seq: at, stored: end?.seq },
      kind === 'gap' ? 'reports of a device are missing' : 'a device tells two histories of one boot',
    );
    await find(kind, at);
    return complaint(kind, frame, end, at);
  };
  const verdict: Verdict = judge(frame, end);
  if (verdict === 'next') return { kind: 'take' };
  if (verdict !== 'repeated' || end === undefined) return refuse(verdict === 'fork' ? 'fork' : 'gap', seqFrom);
  const isLast = seqTo === end.seq && hash === end.hash;
  const different = isLast ? undefined : firstDifference(frame, await store.eventsOf(device, boot, seqFrom, Math.min(seqTo, end.seq)));
  if (different !== undefined) return refuse('fork', different);
  await find('duplicate', seqFrom);
  return { kind: 'acknowledge', seq: end.seq };
};
