/** Where a PKCS#11 token keeps the online keys: what a ceremony writes in place of sealed keys, and what the signer asks. It holds no secret. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { DeviceJwk } from '../protocol/enrollment.ts';

const closed = { additionalProperties: false } as const;
const File = Type.String({ pattern: '^/[A-Za-z0-9._/+-]{1,255}$' });
const Label = Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$' });
/** CKA_ID of both halves, hex. */
const Key = Type.Object({ id: Type.String({ pattern: '^([0-9a-f]{2}){1,32}$' }), jwk: DeviceJwk }, closed);

export const KeyToken = Type.Object(
  {
    format: Type.Literal('cordon-pkcs11/1'),
    /** What speaks to the module: Python 3, of which it needs no packages. */
    python: File,
    module: File,
    token: Label,
    /** Variables that the module itself wants, such as SOFTHSM2_CONF. */
    environment: Type.Record(Type.String({ pattern: '^[A-Z0-9_]{1,64}$' }), Type.String({ maxLength: 256 })),
    keys: Type.Object({ policy: Key, checkpoint: Key, identity: Key }, closed),
  },
  closed,
);
export type KeyToken = Static<typeof KeyToken>;
const validator = Compile(KeyToken);

/** @returns undefined for anything that does not describe a token */
export const readKeyToken = (value: unknown): KeyToken | undefined => (validator.Check(value) ? value : undefined);
