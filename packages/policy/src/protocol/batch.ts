/** The hash that links a device's telemetry batches of one boot into a chain. */
import { canonicalJson, canonicalText } from '../trust/canonical-json.ts';
import { sha256Hex } from '../trust/digest.ts';
import { memberText } from '../trust/strict-json.ts';
import type { TelemetryEvent } from './events.ts';

/** What the first batch of a boot has as its predecessor. */
export const FIRST_BATCH = '0'.repeat(64);

export interface Batch {
  readonly boot: string;
  readonly seqFrom: number;
  readonly seqTo: number;
  /** Hash of the batch before. */
  readonly prev: string;
  readonly events: readonly TelemetryEvent[];
}

/** An event with its members in canonical order, in which its hash costs least wherever it is computed. */
export const ordered = (event: TelemetryEvent): TelemetryEvent =>
  Object.fromEntries(Object.entries(event).sort(([a], [b]) => (a < b ? -1 : 1))) as TelemetryEvent;

/** The canonical text of a batch's events: nearly all of what its hash covers. */
export const bodyOf = ({ events }: Pick<Batch, 'events'>): string => canonicalJson(events);

/** The same for a batch as it was read. @param written what JSON.stringify writes of all of it, where that is known */
export const bodyIn = (batch: Pick<Batch, 'events'>, written: string | undefined): string =>
  canonicalText(batch.events, written === undefined ? undefined : memberText({ ...batch }, 'events', written));

/** SHA-256 over the canonical form of a batch, hex, where the text of its events is known. */
export const hashWith = ({ boot, seqFrom, seqTo, prev }: Omit<Batch, 'events'>, body: string): string =>
  sha256Hex(
    `{"boot":${canonicalJson(boot)},"events":${body},"prev":${canonicalJson(prev)},"seqFrom":${canonicalJson(seqFrom)},"seqTo":${canonicalJson(seqTo)}}`,
  );

/** SHA-256 over the canonical form, hex. */
export const batchHash = (batch: Batch): string => hashWith(batch, bodyOf(batch));

/** How far a chain goes: the number of its last event and the hash of the batch that ends there. */
export interface ChainPlace {
  readonly seq: number;
  readonly hash: string;
}

export const CHAIN_START: ChainPlace = { seq: 0, hash: FIRST_BATCH };

/** missing: events before it are not there. again: its numbers were there before. changed: it is not what its hash says. apart: its predecessor is another. */
export type ChainFault = 'missing' | 'again' | 'changed' | 'apart';

/** @param body the canonical text of its events. @returns why a batch does not follow; undefined when it does */
export const faultAfter = (
  before: ChainPlace,
  batch: Omit<Batch, 'events'> & { readonly hash: string },
  body: string,
): ChainFault | undefined => {
  if (batch.seqFrom > before.seq + 1) return 'missing';
  if (batch.seqFrom <= before.seq) return 'again';
  if (hashWith(batch, body) !== batch.hash) return 'changed';
  return batch.prev === before.hash ? undefined : 'apart';
};
