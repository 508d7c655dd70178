/** What a device says of one of its runs, signed by the device's key: exchanged for a token that others verify (run-token.ts). */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { Base64Url, HexDigest, Id, type DeviceJwk } from '../protocol/enrollment.ts';
import { Time } from '../protocol/time.ts';
import { openCompact, signCompact, type Signer } from './envelope.ts';
import { admit } from './keys.ts';
import { AgentClaim, Audience, Delivery, Parents, RunId, UserClaim } from './run-token.ts';

export const MAX_STATEMENT = 4096;
/** The device's clock may be off by so much. That a statement is fresh rests on the session's nonce, not on this. */
export const STATEMENT_SKEW_MS = 5 * 60_000;

/** Payload of `cordon-run+jws`. */
export const RunStatement = Type.Object(
  {
    format: Type.Literal('cordon-run/1'),
    org: Type.String({ minLength: 1, maxLength: 64 }),
    device: Id,
    /** The start of the daemon in whose chain of reports the run began. */
    boot: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }),
    /** Of the session in which it is exchanged, given by the control plane. */
    nonce: Base64Url(64),
    /** Grows with each question of a session: no statement counts twice. */
    number: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
    at: Time,
    run: RunId,
    parents: Parents,
    user: UserClaim,
    agent: AgentClaim,
    /** Of the bundle that the run is under now. */
    bundle: HexDigest,
    audience: Audience,
    delivery: Delivery,
  },
  { additionalProperties: false },
);
export type RunStatement = Static<typeof RunStatement>;
const Statement = Compile(RunStatement);

export const signRunStatement = (statement: RunStatement, key: Signer): Promise<string> => signCompact(statement, 'cordon-run+jws', key);

/** Of whom and where a statement must be: all of it is the session's. */
export interface StatementContext {
  readonly org: string;
  readonly device: string;
  readonly nonce: string;
  /** Of the question that it came with: each is asked once in a session. */
  readonly number: number;
  readonly now: Date;
}

/**
 * @param key the device's current one
 * @throws CordonError `jws.*`, `json.*`, `key.refused`; `run-statement.schema|org|device|nonce|number|time`
 */
export const openRunStatement = async (
  jws: string,
  key: DeviceJwk,
  { org, device, nonce, number, now }: StatementContext,
): Promise<RunStatement> => {
  const { payload } = await openCompact(jws, { typ: 'cordon-run+jws', keys: admit(key), maxBytes: MAX_STATEMENT });
  const demand = (held: boolean, what: string, message: string): void => {
    if (!held) throw new CordonError(`run-statement.${what}`, message);
  };
  if (!Statement.Check(payload)) throw new CordonError('run-statement.schema', 'what is signed is not a statement about a run');
  demand(payload.org === org, 'org', 'it is of another organisation');
  demand(payload.device === device, 'device', `it is of device ${payload.device}, and this session is that of ${device}`);
  demand(payload.nonce === nonce, 'nonce', 'it was made for another session');
  demand(payload.number === number, 'number', `it has number ${payload.number}, and the question ${number}`);
  demand(
    Math.abs(Date.parse(payload.at) - now.getTime()) <= STATEMENT_SKEW_MS,
    'time',
    `it was made at ${payload.at}, and here it is ${now.toISOString()}: set the clock of the device`,
  );
  return payload;
};
