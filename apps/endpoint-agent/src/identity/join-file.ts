/**
 * The line of this device's sessions: a number that each attempt raises, and the random marks of the last session and of the next. Written before anything
 * is sent, so that the control plane sees when a state was put back or is used by two machines.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { Base64Url, type Join } from '@cordon/policy/protocol/enrollment.ts';
import { readJson, writeDurably } from '../durable.ts';

const MOST = 2_147_483_647;
/** What the control plane says is no order: a number far ahead would use up all that are left. */
const MAX_RAISE = 1_000_000;

const Mark = Base64Url(22);
const Kept = Type.Object(
  {
    count: Type.Integer({ minimum: 0, maximum: MOST }),
    last: Mark,
    /** Drawn with the first attempt after a session, so that a copy made in between does not share it. */
    next: Type.Union([Mark, Type.Null()]),
  },
  { additionalProperties: false },
);
const validator = Compile(Kept);

export interface JoinFile {
  /** The next number, on disk. */
  attempt(): Join;
  /** The control plane knows a session of this number: the next attempt is above it. @returns whether that is believed */
  raise(count: number): boolean;
  /** There is a session. */
  confirmed(): void;
}

const newMark = (): string => randomBytes(16).toString('base64url');

/** @param log told when it cannot be written: sessions go on, and after a restart they look as if the state had been put back */
export const openJoinFile = (stateDir: string, log: (message: string) => void): JoinFile => {
  const file = path.join(stateDir, 'joins.json');
  const stored = readJson(file);
  let kept: Static<typeof Kept> = validator.Check(stored) ? stored : { count: 0, last: newMark(), next: null };
  const write = (next: Static<typeof Kept>): void => {
    kept = next;
    try {
      writeDurably(file, JSON.stringify(next));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      log(`the count of sessions could not be kept: ${error.message}`);
    }
  };
  return {
    attempt: () => {
      const next = kept.next ?? newMark();
      const count = Math.min(MOST, kept.count + 1);
      write({ count, last: kept.last, next });
      return { count, last: kept.last, next };
    },
    raise: (count) => {
      if (!(count >= kept.count && count <= kept.count + MAX_RAISE && count < MOST)) return false;
      kept = { ...kept, count };
      return true;
    },
    confirmed: () => write({ count: kept.count, last: kept.next ?? kept.last, next: null }),
  };
};
