/** Cosignatures: whoever follows the history independently says that it has seen this checkpoint in it, and no other in its place. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { HexDigest } from '../protocol/enrollment.ts';
import type { CheckpointPayload } from './checkpoint.ts';
import { openCompact, signCompact, type Signer } from './envelope.ts';
import type { AdmittedKey } from './keys.ts';
import type { Link } from './history.ts';
import type { TrustedRoot } from './root.ts';

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** Payload of `cordon-witness+jws`: the same bytes from every witness. */
export const WitnessPayload = Type.Object(
  {
    format: Type.Literal('cordon-witness/1'),
    org: Type.String({ maxLength: 64 }),
    epoch: Count,
    serial: Count,
    checkpoint: HexDigest,
  },
  { additionalProperties: false },
);
export type WitnessPayload = Static<typeof WitnessPayload>;
const Payload = Compile(WitnessPayload);
const MAX_COSIGNATURE = 2048;

type Seen = Pick<CheckpointPayload, 'org' | 'epoch' | 'serial'>;

export const cosign = ({ org, epoch, serial }: Seen, checkpoint: string, witness: Signer): Promise<string> =>
  signCompact({ format: 'cordon-witness/1', org, epoch, serial, checkpoint } satisfies WitnessPayload, 'cordon-witness+jws', witness);

/**
 * Opens one cosignature of a checkpoint. @returns the key of the witness
 * @throws CordonError `witness.schema`, `witness.other` when it is of another checkpoint, `jws.*`, `json.*`
 */
export const openCosignature = async (
  cosignature: string,
  checkpoint: string,
  { org, epoch, serial }: Seen,
  keys: ReadonlyMap<string, AdmittedKey>,
): Promise<string> => {
  const { payload, kid } = await openCompact(cosignature, { typ: 'cordon-witness+jws', keys, maxBytes: MAX_COSIGNATURE });
  if (!Payload.Check(payload)) throw new CordonError('witness.schema', 'not a cosignature');
  if (payload.checkpoint !== checkpoint || payload.org !== org || payload.epoch !== epoch || payload.serial !== serial)
    throw new CordonError('witness.other', 'the cosignature is of another checkpoint');
  return kid;
};

/**
 * Which distinct witnesses have cosigned, counted by key. A cosignature by a key outside `keys` proves nothing and is passed over; any other fault refuses the whole.
 * @throws CordonError as `openCosignature`
 */
export const witnessesOf = async (
  cosignatures: readonly string[],
  checkpoint: string,
  seen: Seen,
  keys: ReadonlyMap<string, AdmittedKey>,
): Promise<ReadonlySet<string>> => {
  const kids = new Set<string>();
  for (const cosignature of cosignatures) {
    try {
      kids.add(await openCosignature(cosignature, checkpoint, seen, keys));
    } catch (error) {
      // A witness that the root does not name, or not yet.
      if (!(error instanceof CordonError) || error.code !== 'jws.key') throw error;
    }
  }
  return kids;
};

/**
 * Where the root demands witnesses: so many of them have seen this checkpoint in the one history that they follow.
 * @throws CordonError `checkpoint.witness`, or as `openCosignature`
 */
export const requireWitnesses = async (
  { digest, payload }: Link,
  cosignatures: readonly string[] | undefined,
  { document, keys }: TrustedRoot,
): Promise<void> => {
  const demanded = document.roles.witness?.threshold ?? 0;
  if (demanded === 0) return;
  const seenBy = await witnessesOf(cosignatures ?? [], digest, payload, keys('witness'));
  if (seenBy.size < demanded)
    throw new CordonError('checkpoint.witness', `the root demands that ${demanded} witnesses cosign; ${seenBy.size} did`);
};
