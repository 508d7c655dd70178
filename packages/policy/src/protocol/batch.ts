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

/** SHA-256 over the canonical form, hex. */
export const batchHash = ({ boot, seqFrom, seqTo, prev, events }: Batch): string =>
  sha256Hex(canonicalJson({ boot, seqFrom, seqTo, prev, events }));
