/** The hash that links a device's telemetry batches of one boot into a chain. */
import { canonicalJson } from '../trust/canonical-json.ts';
import { sha256Hex } from '../trust/digest.ts';
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

/** SHA-256 over the canonical form of a batch, hex, where the text of its events is known. */
export const hashWith = ({ boot, seqFrom, seqTo, prev }: Omit<Batch, 'events'>, body: string): string =>
  sha256Hex(
    `{"boot":${canonicalJson(boot)},"events":${body},"prev":${canonicalJson(prev)},"seqFrom":${canonicalJson(seqFrom)},"seqTo":${canonicalJson(seqTo)}}`,
  );

/** SHA-256 over the canonical form, hex. */
export const batchHash = (batch: Batch): string => hashWith(batch, bodyOf(batch));
