/** The head of a device's chain of reports, signed by the device: one signature for everything up to it. Evidence rests on these. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { HexDigest, type DeviceJwk } from '../protocol/enrollment.ts';
import { Time } from '../protocol/time.ts';
import { openCompact, signCompact, type Signer } from './envelope.ts';
import { checkPublicKey, thumbprint } from './keys.ts';

const closed = { additionalProperties: false } as const;
const Id = Type.String({ minLength: 1, maxLength: 64 });
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Payload of `cordon-head+jws`: the chain of `boot` has `seq` events, and `hash` is that of the batch that ends with the last of them. */
export const HeadStatement = Type.Object(
  {
    format: Type.Literal('cordon-head/1'),
    org: Id,
    device: Id,
    boot: Id,
    seq: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
    hash: HexDigest,
    /** When it was signed, by the device's clock. */
    at: Time,
    /** What was in force then. */
    enforced: Type.Union([Type.Object({ epoch: Count, serial: Count, digest: HexDigest }, closed), Type.Null()]),
    /** Who controls the daemon that signs: the system, or the user whom it contains. */
    assurance: Type.Union([Type.Literal('system'), Type.Literal('user')]),
  },
  closed,
);
export type HeadStatement = Static<typeof HeadStatement>;
const Statement = Compile(HeadStatement);

const MAX_BYTES = 2048;

export const signHead = (statement: HeadStatement, key: Signer): Promise<string> => signCompact(statement, 'cordon-head+jws', key);

/** Who a head must be of, and what it must say. */
export type HeadClaim = Pick<HeadStatement, 'org' | 'device' | 'boot' | 'seq' | 'hash'>;

/**
 * @param keys that the device had
 * @throws CordonError `jws.*`, `json.*`, `key.refused`; `head.statement` when a valid signature covers something else than what is claimed
 */
export const openHead = async (jws: string, claim: HeadClaim, keys: readonly DeviceJwk[]): Promise<HeadStatement> => {
  const byId = new Map(keys.map((key) => checkPublicKey(key)).map((key) => [thumbprint(key), key]));
  const { payload } = await openCompact(jws, { typ: 'cordon-head+jws', keys: byId, maxBytes: MAX_BYTES });
  if (!Statement.Check(payload)) throw new CordonError('head.statement', 'what is signed is not a head of a chain');
  for (const name of ['org', 'device', 'boot', 'seq', 'hash'] as const)
    if (payload[name] !== claim[name])
      throw new CordonError('head.statement', `the ${name} that is signed is ${payload[name]}, not ${claim[name]}`);
  return payload;
};
