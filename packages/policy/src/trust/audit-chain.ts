/** One link of the audit chain: entry n carries the hash of entry n - 1, so nothing can be changed, left out or put in between unseen. */
import { canonicalJson } from './canonical-json.ts';
import { sha256Hex } from './digest.ts';

export interface AuditFacts {
  readonly seq: number;
  readonly at: Date;
  /** Who: `token:<id>`, `device:<id>` or `system`. */
  readonly actor: string;
  /** What: `noun.verb`. */
  readonly action: string;
  /** On what: an id. */
  readonly subject: string;
  /** Never a secret. */
  readonly detail: unknown;
}

/** The predecessor of the first entry. */
export const GENESIS = '0'.repeat(64);

/** SHA-256(prevHash || JCS({seq, at, actor, action, subject, detail})), hex. */
export const entryHash = (previous: string, { seq, at, actor, action, subject, detail }: AuditFacts): string =>
  sha256Hex(previous + canonicalJson({ seq, at: at.toISOString(), actor, action, subject, detail }));

export interface ChainedEntry extends AuditFacts {
  readonly prevHash: string;
  readonly hash: string;
}

/** @returns the first entry that does not fit, or undefined when all do. `previous` is the hash before the first */
export const firstBroken = (entries: readonly ChainedEntry[], previous: string = GENESIS): ChainedEntry | undefined => {
  let hash = previous;
  let seq = entries[0]?.seq ?? 0;
  for (const entry of entries) {
    if (entry.seq !== seq || entry.prevHash !== hash || entryHash(hash, entry) !== entry.hash) return entry;
    hash = entry.hash;
    seq += 1;
  }
  return undefined;
};
