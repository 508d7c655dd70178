/** Lines of an export of a device's reports, each with a closed schema: the file may come from anyone. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { DeviceJwk, HexDigest } from '@cordon/policy/protocol/enrollment.ts';
import { Time } from '@cordon/policy/protocol/time.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 64 });
const Seq = Type.Integer({ minimum: 1, maximum: 2_147_483_647 });
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

const Line = Type.Union([
  Type.Object(
    {
      type: Type.Literal('reports'),
      format: Type.Literal('cordon-reports/1'),
      org: Name,
      device: Name,
      exportedAt: Time,
      keys: Type.Array(DeviceJwk, { maxItems: 1000 }),
    },
    closed,
  ),
  Type.Object(
    { type: Type.Literal('head'), boot: Name, seq: Seq, hash: HexDigest, receivedAt: Time, head: Type.String({ maxLength: 2048 }) },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal('batch'),
      boot: Name,
      seqFrom: Seq,
      seqTo: Seq,
      prev: HexDigest,
      hash: HexDigest,
      receivedAt: Time,
      events: Type.Array(Type.Record(Type.String(), Type.Unknown()), { minItems: 1, maxItems: 500 }),
    },
    closed,
  ),
  Type.Object({ type: Type.Literal('end'), batches: Count, heads: Count }, closed),
]);
export type Line = Static<typeof Line>;
export type LineOf<T extends Line['type']> = Extract<Line, { type: T }>;
const validator = Compile(Line);

const MAX_LINE = 2_097_152;

/** @returns undefined for what is no line of such an export */
export const readLine = (text: string): Line | undefined => {
  try {
    const value = parseStrictJson(text, { maxBytes: MAX_LINE, maxDepth: 16 });
    return validator.Check(value) ? value : undefined;
  } catch (error) {
    if (error instanceof CordonError) return undefined;
    throw error;
  }
};
