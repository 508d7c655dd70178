/** The hash chain of a device's batches within one boot: what follows, what was here before, what is missing. Pure. */
import { bodyOf, CHAIN_START, hashWith } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';

/** The last batch of a boot that was accepted. */
export interface ChainEnd {
  readonly boot: string;
  readonly seq: number;
  readonly hash: string;
}

/**
 * - next: it follows what is there.
 * - repeated: some or all of its numbers are there. The same content is a repetition, other content is a second history: only what is stored tells.
 * - gap: something before it is missing.
 * - fork: it follows something else than what is there; to acknowledge it would let the device forget events that are not here.
 */
export type Verdict = 'next' | 'repeated' | 'gap' | 'fork';

/** PostgreSQL's integer, which sequence numbers are stored in. */
export const MAX_SEQ = 2_147_483_647;

/** Whether text is a time that exists, exactly as its canonical form says it. */
const isTime = (text: string): boolean => {
  const at = new Date(text);
  return !Number.isNaN(at.getTime()) && at.getUTCFullYear() >= 2000 && at.toISOString() === text;
};

const CLOCK = /^T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/** The same for many: the events of a batch are mostly of one day, which is judged once. */
const areTimes = (texts: readonly { readonly at: string }[]): boolean => {
  let known = '';
  return texts.every(({ at }) => {
    const day = at.slice(0, 10);
    if (day !== known && !isTime(`${day}T00:00:00.000Z`)) return false;
    known = day;
    return CLOCK.test(at.slice(10));
  });
};

/** What is wrong with a batch by itself; undefined when nothing is. @param body the text of its events, where it is known already */
export const faultOf = (frame: TelemetryFrame, body = bodyOf(frame)): string | undefined => {
  const { seqFrom, seqTo, events, hash } = frame;
  if (seqTo > MAX_SEQ || seqTo - seqFrom + 1 !== events.length) return 'telemetry.range';
  if (!events.every(({ seq }, i) => seq === seqFrom + i)) return 'telemetry.range';
  if (!areTimes(events)) return 'telemetry.time';
  return hashWith(frame, body) === hash ? undefined : 'telemetry.hash';
};

/** @param end what was accepted last in the batch's own boot; undefined when nothing was */
export const judge = ({ seqFrom, prev }: Pick<TelemetryFrame, 'seqFrom' | 'prev'>, end: ChainEnd | undefined): Verdict => {
  const { seq, hash } = end ?? CHAIN_START;
  if (seqFrom > seq + 1) return 'gap';
  // Nothing is there of a chain that is not known, so what claims to follow something follows what is missing.
  if (seqFrom <= seq || seqFrom < 1) return end === undefined ? 'gap' : 'repeated';
  return prev === hash ? 'next' : end === undefined ? 'gap' : 'fork';
};

/** @param stored text of the events that are there, by number. @returns the first number under which something else is stored; undefined when nothing contradicts */
export const firstDifference = ({ events }: Pick<TelemetryFrame, 'events'>, stored: ReadonlyMap<number, string>): number | undefined =>
  events.find((event) => stored.has(event.seq) && stored.get(event.seq) !== canonicalJson(event))?.seq;

export const endOf = ({ boot, seqTo, hash }: TelemetryFrame): ChainEnd => ({ boot, seq: seqTo, hash });
