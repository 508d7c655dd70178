/**
 * The token of a run: a JWT (RFC 7519) under the organisation's `identity` key. Others verify it at the JWKS; what the control plane verified stands apart
 * from what the device only says.
 */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { canonicalHost } from '../match/host.ts';
import { HexDigest, Id } from '../protocol/enrollment.ts';
import { openCompact } from './envelope.ts';
import type { AdmittedKey } from './keys.ts';

/** A token lives so long at most, in seconds. */
export const RUN_TOKEN_SECONDS = 300;
export const MAX_TOKEN = 4096;
/** Levels of runs above one (the launcher allows fewer). */
const MAX_PARENTS = 16;

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 64 });

export const RunId = Type.String({ pattern: '^run_[A-Za-z0-9_-]{16,43}$' });
/** The runs that a run was started in: its parent first. */
export const Parents = Type.Array(RunId, { maxItems: MAX_PARENTS, uniqueItems: true });
/** local: an account of that machine alone, whatever it is called; directory: one that the machine takes from a directory service. */
export const UserClaim = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 64 }), kind: Type.Union([Type.Literal('local'), Type.Literal('directory')]) },
  closed,
);
export type UserClaim = Static<typeof UserClaim>;
/** proven: its program is an installation that the run's user cannot change; claimed: anyone could have said so. */
export const AgentClaim = Type.Object(
  { id: Type.String({ minLength: 1, maxLength: 64 }), proof: Type.Union([Type.Literal('proven'), Type.Literal('claimed')]) },
  closed,
);
/** workload: the run has the token and can pass it on; proxy: it goes from the device's proxy to its audience, and the run never sees it. */
export const Delivery = Type.Union([Type.Literal('workload'), Type.Literal('proxy')]);
export type Delivery = Static<typeof Delivery>;
/** `https://` and a host that a policy lets receive the identity of runs; nothing after it. */
export const Audience = Type.String({ pattern: '^https://[a-z0-9.:\\[\\]-]{1,255}$', maxLength: 264 });

const Seconds = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Claims of `cordon-run-token+jwt`. */
export const RunTokenClaims = Type.Object(
  {
    iss: Type.String({ pattern: '^https?://[!-~]{1,500}$', maxLength: 512 }),
    sub: RunId,
    aud: Audience,
    iat: Seconds,
    nbf: Seconds,
    exp: Seconds,
    jti: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
    /** By the control plane, from its own records, when the token was made. */
    verified: Type.Object(
      {
        organisation: Name,
        epoch: Seconds,
        device: Id,
        cohort: Name,
        compliance: Type.Literal('Compliant'),
        assurance: Type.Union([Type.Literal('system'), Type.Literal('user')]),
        /** SHA-256 of the bundle that the device acknowledged as enforced, and that its cohort has. */
        bundle: HexDigest,
      },
      closed,
    ),
    /** By the device, whose key signed it: true as far as the device is. */
    asserted: Type.Object({ run: RunId, parents: Parents, user: UserClaim, agent: AgentClaim, delivery: Delivery }, closed),
  },
  closed,
);
export type RunTokenClaims = Static<typeof RunTokenClaims>;
const Claims = Compile(RunTokenClaims);

/** The audience that a host is. @throws CordonError `host.invalid` for what is no exact host */
export const audienceOf = (host: string): string => {
  if (host.includes('*')) throw new CordonError('host.invalid', `${host} names more than one host; an audience is exactly one`);
  const canonical = canonicalHost(host);
  return `https://${canonical.includes(':') && !canonical.startsWith('[') ? `[${canonical}]` : canonical}`;
};

/** What a person or program calls an audience: a host, with or without `https://`. @throws CordonError `host.invalid` */
export const readAudience = (text: string): string => audienceOf(text.replace(/^https:\/\//, '').replace(/\/$/, ''));

/** Whether what is claimed is a token's content and fits itself. */
export const isRunTokenClaims = (value: unknown): value is RunTokenClaims =>
  Claims.Check(value) &&
  value.sub === value.asserted.run &&
  !value.asserted.parents.includes(value.sub) &&
  value.nbf === value.iat &&
  value.exp > value.iat &&
  value.exp - value.iat <= RUN_TOKEN_SECONDS;

/**
 * Verifies a token as its issuer does; whether its run lives is another question.
 * @param keys of the root's role `identity`
 * @throws CordonError `jws.*`, `json.*`; `run-token.schema|expired|future`
 */
export const openRunToken = async (jws: string, keys: ReadonlyMap<string, AdmittedKey>, now: Date): Promise<RunTokenClaims> => {
  const { payload } = await openCompact(jws, { typ: 'cordon-run-token+jwt', keys, maxBytes: MAX_TOKEN });
  if (!isRunTokenClaims(payload)) throw new CordonError('run-token.schema', 'what is signed is not the token of a run');
  const seconds = now.getTime() / 1000;
  if (seconds >= payload.exp) throw new CordonError('run-token.expired', 'the token has expired');
  // One signer, one clock: what begins later was made under another.
  if (seconds + 60 < payload.nbf) throw new CordonError('run-token.future', 'the token is not valid yet');
  return payload;
};
