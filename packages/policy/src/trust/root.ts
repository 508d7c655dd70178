/** The root document: names every other key by role, with thresholds. A chain is walked one version at a time, each signed by old and new. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { DeviceJwk } from '../protocol/enrollment.ts';
import { Time } from '../protocol/time.ts';
import { sha256Base64Url } from './digest.ts';
import { readGeneral, readPayload, signersOf } from './envelope.ts';
import { checkPublicKey, thumbprint, type AdmittedKey } from './keys.ts';

const MAX_ROOT = 65_536;
const role = (highest: number) =>
  Type.Object(
    { threshold: Type.Integer({ minimum: 1, maximum: highest }), keys: Type.Array(DeviceJwk, { minItems: 1, maxItems: 16 }) },
    { additionalProperties: false },
  );
const Offline = role(16);
/** Manifests, checkpoints and tokens carry one signature: a root that demands more of them is refused, never taken for less. */
const Online = role(1);

export const RootDocument = Type.Object(
  {
    format: Type.Literal('cordon-root/1'),
    org: Type.String({ minLength: 1, maxLength: 64 }),
    version: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    epoch: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    expiresAt: Time,
    roles: Type.Object(
      {
        root: Offline,
        floor: Offline,
        approver: Offline,
        policy: Online,
        checkpoint: Online,
        identity: Online,
        /** When it is there, so many of these keys must have cosigned whatever a device believes of a checkpoint. */
        witness: Type.Optional(Offline),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);
export type RootDocument = Static<typeof RootDocument>;
export type RoleName = keyof RootDocument['roles'];
/** Roles that every organisation has. */
export type RequiredRole = Exclude<RoleName, 'witness'>;
const validator = Compile(RootDocument);

/** A root document that is well formed; whether it is to be trusted is another question. */
interface Admitted {
  readonly document: RootDocument;
  /** Keys of a role by thumbprint. */
  keys(role: RoleName): ReadonlyMap<string, AdmittedKey>;
}

export interface TrustedRoot extends Admitted {
  /** Keys that had the role in any version of the chain: for what was signed in the past. */
  everKeys(role: RoleName): ReadonlyMap<string, AdmittedKey>;
}

const refuse = (code: string, message: string): never => {
  throw new CordonError(code, message);
};

/** Every key is admissible and stands once in the whole document: a key has one role, and a threshold counts what it says. */
const parse = (payload: unknown): Admitted => {
  if (!validator.Check(payload)) return refuse('root.schema', 'not a root document');
  const roles = Object.values(payload.roles);
  const keys = new Map(
    Object.entries(payload.roles).map(([role, { keys: jwks }]) => {
      const admitted = jwks.map(checkPublicKey);
      return [role, admitted.map((jwk) => [thumbprint(jwk), jwk] as const)] as const;
    }),
  );
  const kids = [...keys.values()].flat().map(([kid]) => kid);
  if (new Set(kids).size !== kids.length) refuse('root.keys', 'a key stands twice: each key is for one role, and once in it');
  if (roles.some(({ threshold, keys: jwks }) => threshold > jwks.length))
    refuse('root.keys', 'a role demands more signatures than it has keys');
  return { document: payload, keys: (role) => new Map(keys.get(role)) };
};

const demandSigned = (jws: ReturnType<typeof readGeneral>, { document: by, keys }: Admitted): void => {
  const { size } = signersOf(jws, 'cordon-root+jws', keys('root'));
  if (size < by.roles.root.threshold)
    refuse('root.threshold', `version ${by.version} demands ${by.roles.root.threshold} distinct root keys; ${size} signed`);
};

/** What an enrollment token carries: SHA-256 of the first root document's payload, base64url. */
export const rootFingerprint = (firstRoot: string): string => {
  const { payload } = JSON.parse(firstRoot) as { payload: string };
  return sha256Base64Url(Buffer.from(payload, 'base64url'));
};

/**
 * Verifies a chain of roots that begins with the one whose fingerprint the device holds.
 * @throws CordonError `root.chain|fingerprint|schema|keys|threshold|version|org|epoch|expired`, `key.refused`, `jws.*`, `json.*`
 */
export const verifyRootChain = async (roots: readonly string[], fingerprint: string, now: Date): Promise<TrustedRoot> => {
  if (roots.length > 256) refuse('root.chain', `at most 256 root documents are accepted, not ${roots.length}`);
  let trusted: Admitted | undefined;
  const chain: Admitted[] = [];
  for (const text of roots) {
    const jws = readGeneral(text, MAX_ROOT);
    const { payload, payloadText } = readPayload(jws.payload, MAX_ROOT);
    const next = parse(payload);
    demandSigned(jws, next);
    if (trusted === undefined) {
      if (sha256Base64Url(payloadText) !== fingerprint)
        refuse('root.fingerprint', 'the root is not the one whose fingerprint this device holds');
    } else {
      demandSigned(jws, trusted);
      const [before, after] = [trusted.document, next.document];
      if (after.version !== before.version + 1)
        refuse('root.version', `after version ${before.version} comes ${before.version + 1}, not ${after.version}`);
      if (after.org !== before.org) refuse('root.org', 'the organisation changed');
      if (after.epoch < before.epoch) refuse('root.epoch', 'the epoch fell');
    }
    trusted = next;
    chain.push(next);
  }
  const { document, keys } = trusted ?? refuse('root.chain', 'there is no root document');
  if (!(Date.parse(document.expiresAt) > now.getTime())) refuse('root.expired', `the root expired at ${document.expiresAt}`);
  return {
    document,
    keys,
    everKeys: (role) => new Map(chain.flatMap((version) => [...version.keys(role)])),
  };
};
