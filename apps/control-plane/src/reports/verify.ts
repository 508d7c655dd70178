/** Whether a signed head and what is stored say the same. Pure but for reading the batches. */
import { faultAfter, type ChainFault, type ChainPlace } from '@cordon/policy/protocol/batch.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { openHead, type HeadClaim } from '@cordon/policy/trust/device-head.ts';
import type { ArchivedBatch } from '../telemetry/telemetry.ts';

export type HeadState = 'verified' | 'wrong-signature' | 'not-reached' | 'contradicts';

export interface HeadVerdict {
  readonly state: HeadState;
  /** Why not. */
  readonly reason: string | null;
  /** The first event that does not hold; of a signature, the one that it covers last. */
  readonly seq: number;
}

const FAULTS: Readonly<Record<ChainFault, string>> = {
  missing: 'archive.missing',
  again: 'archive.again',
  changed: 'archive.changed',
  apart: 'archive.apart',
};

/**
 * The signature first, then every batch from the verified place on: each must be what its hash says and follow the one before it, up to exactly the head.
 * @param key the device's public key (JWK x) when the head came
 */
export const verifyHead = async (
  { jws, key, ...claim }: HeadClaim & { readonly jws: string; readonly key: string | null },
  verified: ChainPlace,
  batches: AsyncIterable<ArchivedBatch>,
): Promise<HeadVerdict> => {
  try {
    await openHead(jws, claim, key === null ? [] : [{ kty: 'OKP', crv: 'Ed25519', x: key }]);
  } catch (error) {
    if (error instanceof CordonError) return { state: 'wrong-signature', reason: error.code, seq: claim.seq };
    throw error;
  }
  let place = verified;
  for await (const batch of batches) {
    if (place.seq >= claim.seq) break;
    const fault = batch.body === undefined ? 'changed' : faultAfter(place, batch, batch.body);
    if (fault !== undefined) {
      // Numbers that are nowhere never came here, or were taken away; what is there and does not fit contradicts.
      return {
        state: fault === 'missing' ? 'not-reached' : 'contradicts',
        reason: FAULTS[fault],
        seq: fault === 'missing' ? place.seq + 1 : batch.seqFrom,
      };
    }
    place = { seq: batch.seqTo, hash: batch.hash };
  }
  if (place.seq < claim.seq) return { state: 'not-reached', reason: 'archive.ends', seq: place.seq + 1 };
  return place.seq === claim.seq && place.hash === claim.hash
    ? { state: 'verified', reason: null, seq: claim.seq }
    : { state: 'contradicts', reason: 'head.hash', seq: claim.seq };
};
