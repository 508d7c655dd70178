/** The floor: an offline-signed policy with only deny and limit. It narrows whatever the online keys say. */
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { PolicyDocument } from '../document/schema.ts';
import { CordonError } from '../errors.ts';
import { openGeneral } from './envelope.ts';
import type { TrustedRoot } from './root.ts';

const FloorPayload = Type.Object(
  {
    format: Type.Literal('cordon-floor/1'),
    org: Type.String({ maxLength: 64 }),
    version: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    document: PolicyDocument,
  },
  { additionalProperties: false },
);
const validator = Compile(FloorPayload);

/** @throws CordonError `floor.schema|org|threshold|mode|allow`, `jws.*`, `json.*` */
export const verifyFloor = async (
  text: string,
  root: TrustedRoot,
): Promise<{ readonly version: number; readonly document: PolicyDocument }> => {
  const { payload, kids } = await openGeneral(text, { typ: 'cordon-floor+jws', keys: root.keys('floor'), maxBytes: 262_144 });
  if (kids.size < root.document.roles.floor.threshold) throw new CordonError('floor.threshold', 'too few floor keys signed the floor');
  if (!validator.Check(payload)) throw new CordonError('floor.schema', 'the floor is not a signed policy document');
  if (payload.org !== root.document.org) throw new CordonError('floor.org', 'the floor is of another organisation');
  // What is only watched holds nothing.
  if ((payload.document.spec.mode ?? 'enforce') !== 'enforce') throw new CordonError('floor.mode', 'a floor is enforced, never audited');
  if (payload.document.spec.allow !== undefined)
    throw new CordonError('floor.allow', 'a floor only narrows: it may have deny and limit, never allow');
  return { version: payload.version, document: payload.document };
};
