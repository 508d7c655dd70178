/**
 * The history of checkpoints. Each names its predecessor, so an epoch has one history or shows that it has two. Who missed some walks the headers back from the
 * newest to the one that it holds; each also names one further back, as a skip list does, so that the walk is short however long the gap.
 */
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { MAX_CHECKPOINT, type FindingCode } from '../protocol/history.ts';
import { CheckpointPayload } from './checkpoint.ts';
import { sha256Hex } from './digest.ts';
import { openCompact } from './envelope.ts';
import type { AdmittedKey } from './keys.ts';
import { parseStrictJson } from './strict-json.ts';

const Payload = Compile(CheckpointPayload);

/** A checkpoint as it is compared with others: what it said, the digest that others name it by, and itself as evidence. */
export interface Link {
  readonly payload: CheckpointPayload;
  readonly digest: string;
  readonly jws: string;
}

/** What was found: the later of the two does not go on from the earlier one as it should. Both are signed. */
export interface Finding {
  readonly code: FindingCode;
  readonly earlier: Link;
  readonly later: Link;
}

/**
 * The place that the second pointer of the checkpoint at `number` leads to: as far back as the smallest weight of its skew binary number says (Myers 1983, An
 * applicative random-access stack), so that a walk has at most three steps for each binary digit of its start.
 */
export const skipOf = (number: number): number => {
  let weight = 0;
  for (let rest = number; rest > 0; rest -= weight) weight = 2 ** (31 - Math.clz32(rest + 1)) - 1;
  return number - weight;
};

/** Where a walk from `number` down to `target` goes next. */
export const nextOf = (number: number, target: number): number => {
  const skip = skipOf(number);
  return skip >= target ? skip : number - 1;
};

/** The places of a walk, without its start, to `target`; at most `limit` of them. */
export const walkOf = (from: number, target: number, limit: number): number[] => {
  const places: number[] = [];
  for (let at = from; at > target && places.length < limit;) {
    at = nextOf(at, target);
    places.push(at);
  }
  return places;
};

/** @throws CordonError `checkpoint.schema`, `jws.*`, `json.*` */
export const openLink = async (jws: string, keys: ReadonlyMap<string, AdmittedKey>): Promise<Link> => {
  const { payload, payloadText } = await openCompact(jws, { typ: 'cordon-checkpoint+jws', keys, maxBytes: MAX_CHECKPOINT });
  if (!Payload.Check(payload)) throw new CordonError('checkpoint.schema', 'not a checkpoint');
  return { payload, digest: sha256Hex(payloadText), jws };
};

/** One that was opened before and kept by whoever opened it: nothing is verified again. @returns undefined when it is not a checkpoint */
export const readKeptLink = (jws: string): Link | undefined => {
  const text = Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8');
  const payload = parseStrictJson(text, { maxBytes: MAX_CHECKPOINT, maxDepth: 4 });
  return Payload.Check(payload) ? { payload, digest: sha256Hex(text), jws } : undefined;
};

/** What must hold between any two checkpoints of one epoch, whatever lies between them. */
const grows = (earlier: Link, later: Link): Finding[] => {
  const [a, b] = [earlier.payload, later.payload];
  const found = (code: FindingCode, holds: boolean): Finding[] => (holds ? [] : [{ code, earlier, later }]);
  return [
    ...found('history.shrink', b.members.size >= a.members.size && b.cohorts.size >= a.cohorts.size),
    ...found('history.audit', b.audit.seq > a.audit.seq || (b.audit.seq === a.audit.seq && b.audit.head === a.audit.head)),
    ...found('history.serial', b.serial >= a.serial),
  ];
};

/** `same`; `next` follows directly; `apart` has others between, which must be walked; `epoch` begins anew, as the root said. */
export type Relation = 'same' | 'next' | 'apart' | 'epoch';

/** Compares two checkpoints, in whatever order they came. */
export const compareLinks = (one: Link, other: Link): { readonly relation: Relation; readonly findings: readonly Finding[] } => {
  if (one.payload.epoch !== other.payload.epoch) return { relation: 'epoch', findings: [] };
  if (one.digest === other.digest) return { relation: 'same', findings: [] };
  const [earlier, later] = one.payload.number <= other.payload.number ? [one, other] : [other, one];
  const distance = later.payload.number - earlier.payload.number;
  const isFork = distance === 0 || (distance === 1 && later.payload.previous !== earlier.digest);
  return {
    relation: distance <= 1 ? 'next' : 'apart',
    findings: [...(isFork ? [{ code: 'history.fork' as const, earlier, later }] : []), ...(distance === 0 ? [] : grows(earlier, later))],
  };
};

/** Which checkpoint a walk asks for next. */
export const expectedAfter = ({ payload }: Link, target: number): { readonly number: number; readonly digest: string | null } => {
  const number = nextOf(payload.number, target);
  return { number, digest: number === payload.number - 1 ? payload.previous : payload.skip };
};

/**
 * Goes on with a walk by one header, which the checkpoint before it must have named: so each is vouched for by the newest one.
 * @param goal the older checkpoint, that one's own
 * @returns where the walk is now, and what is wrong between that and where it was; it is over when it has come to the goal's number
 * @throws CordonError `history.answer` when this is not the header that was named
 */
export const stepTo = (at: Link, header: Link, goal: Link): { readonly over: boolean; readonly findings: readonly Finding[] } => {
  const { number, digest } = expectedAfter(at, goal.payload.number);
  if (header.digest !== digest) throw new CordonError('history.answer', 'the header is not the one that its successor names');
  const isPlaced = header.payload.number === number && header.payload.epoch === at.payload.epoch;
  const findings = isPlaced ? grows(header, at) : [{ code: 'history.fork' as const, earlier: header, later: at }];
  if (!isPlaced) return { over: true, findings };
  const over = number === goal.payload.number;
  return {
    over,
    findings: over && header.digest !== goal.digest ? [...findings, { code: 'history.fork', earlier: goal, later: header }] : findings,
  };
};
