/** Frames about the history of checkpoints: headers that a device asks for, and what it found in them. */
import { Type, type Static } from 'typebox';
import { HexDigest } from './enrollment.ts';

const closed = { additionalProperties: false } as const;
const Place = Type.Integer({ minimum: 0, maximum: 2_147_483_647 });
export const MAX_CHECKPOINT = 8192;
/** Headers that one answer has at most; a walk over a million checkpoints has fewer. */
export const MAX_HEADERS = 64;
/** For so long a control plane gives headers at least: what was missed longer ago cannot be walked any more. */
export const HEADERS_KEPT_DAYS = 90;

/** What two signed checkpoints of one epoch show. */
export const FindingCode = Type.Union([
  /** Two checkpoints at one place, or one whose predecessor is not the one before it. */
  Type.Literal('history.fork'),
  /** Fewer members or cohorts than before. */
  Type.Literal('history.shrink'),
  /** The audit log's head went back, or changed without a new entry. */
  Type.Literal('history.audit'),
  /** The serial went back although the number went on. */
  Type.Literal('history.serial'),
  /** The headers between are older than a control plane must keep. */
  Type.Literal('history.gap'),
  /** The headers between should be there, and were not given. */
  Type.Literal('history.withheld'),
]);
export type FindingCode = Static<typeof FindingCode>;

/** Device to server: the headers of a walk from a checkpoint, by its place and digest, down to another place in its epoch. */
export const HistoryRequest = Type.Object(
  { type: Type.Literal('history'), epoch: Place, from: Place, digest: HexDigest, to: Place },
  closed,
);
export type HistoryRequest = Static<typeof HistoryRequest>;

/** The headers in the order of the walk, newest first, as far as they are there. The rest is asked for from the last of them. */
export const HistoryFrame = Type.Object(
  {
    type: Type.Literal('history'),
    digest: HexDigest,
    to: Place,
    headers: Type.Array(Type.String({ maxLength: MAX_CHECKPOINT }), { maxItems: MAX_HEADERS }),
  },
  closed,
);
export type HistoryFrame = Static<typeof HistoryFrame>;

/** Device to server: what it found, with both checkpoints as evidence. Repeated at every connection. */
export const FindingFrame = Type.Object(
  {
    type: Type.Literal('finding'),
    code: FindingCode,
    earlier: Type.String({ maxLength: MAX_CHECKPOINT }),
    later: Type.String({ maxLength: MAX_CHECKPOINT }),
  },
  closed,
);
export type FindingFrame = Static<typeof FindingFrame>;
