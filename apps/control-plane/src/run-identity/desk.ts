/** Exchanges what devices say of their runs, in their sessions, for tokens: each question is asked once, and the session says who asks. */
import { randomBytes } from 'node:crypto';
import { CordonError } from '@cordon/policy/errors.ts';
import { DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import type { TokenReply, TokenRequest } from '@cordon/policy/protocol/run-tokens.ts';
import { openRunStatement } from '@cordon/policy/trust/run-statement.ts';
import { Compile } from 'typebox/compile';
import { judgeNow } from '../compliance/now.ts';
import type { Context } from '../context.ts';
import { findDeviceKey } from '../devices/devices.ts';
import { runRecords } from '../telemetry/runs.ts';
import { claimsFor, requireCompliant, requireCurrent, requireLive } from './run-identity.ts';

const Jwk = Compile(DeviceJwk);

/** Questions a second that a device may ask, and how many at once: it keeps tokens, and each lasts minutes. */
const RATE = 1;
const BURST = 60;
/** Under way at once on this replica: publishing keeps its share of database and signer. */
const UNDER_WAY = 32;

/** Who asks, as the channel knows it. */
export interface Asker {
  readonly device: string;
  /** What the control plane called this session when it began. */
  readonly nonce: string;
  /** The daemon's start, as its hello said. */
  readonly boot: string | undefined;
  send(frame: TokenReply): void;
}

interface Asked {
  number: number;
  left: number;
  at: number;
}

export interface TokenDesk {
  /** Answers once, whatever comes of it; never fails. */
  ask(asker: Asker, question: TokenRequest): void;
}

type Needs = Pick<Context, 'prisma' | 'pool' | 'clock' | 'signer' | 'organisation' | 'log'>;

/** @param issuer what tokens name as who made them */
export const createTokenDesk = (context: Needs, issuer: () => string, monotonic = (): number => performance.now()): TokenDesk => {
  const { prisma, pool, clock, signer, organisation, log } = context;
  const sessions = new WeakMap<Asker, Asked>();
  let underWay = 0;

  /** @throws CordonError `identity.used`, `identity.rate`, `identity.busy` */
  const admit = (asker: Asker, number: number): void => {
    const now = monotonic();
    const asked = sessions.get(asker) ?? { number: 0, left: BURST, at: now };
    sessions.set(asker, asked);
    if (number <= asked.number) throw new CordonError('identity.used', `question ${number} of this session was asked before`);
    asked.number = number;
    asked.left = Math.min(BURST, asked.left + ((now - asked.at) * RATE) / 1000);
    asked.at = now;
    if (asked.left < 1) throw new CordonError('identity.rate', 'the device asks for too many tokens', { retryable: true });
    asked.left -= 1;
    if (underWay >= UNDER_WAY) throw new CordonError('identity.busy', 'too many tokens are made just now', { retryable: true });
  };

  /** @throws CordonError `run-statement.*`, `jws.*`, `identity.*`, `signer.*` */
  const exchange = async (asker: Asker, { number, statement: jws }: TokenRequest): Promise<{ token: string; expiresAt: string }> => {
    const { device, nonce, boot } = asker;
    const key = await findDeviceKey(prisma, device);
    if (key?.standing !== 'active' || !Jwk.Check(key.jwk)) throw new CordonError('identity.device-unknown', 'the device is not active');
    const now = clock();
    const statement = await openRunStatement(jws, key.jwk, { org: organisation.orgId, device, nonce, number, now });
    if (statement.boot !== boot) throw new CordonError('identity.run-ended', 'the statement is of another start of the daemon');
    const verified = requireCompliant(await judgeNow(context, device));
    const records = await runRecords(pool, device, [statement.run, ...statement.parents]);
    requireLive(statement, records);
    requireCurrent(statement, records.get(statement.run), verified);
    const { orgId, epoch } = organisation;
    const claims = claimsFor(statement, verified, {
      issuer: issuer(),
      organisation: orgId,
      epoch,
      now,
      id: randomBytes(16).toString('base64url'),
    });
    const token = await signer.signRunToken(claims);
    log.info({ device, run: claims.sub, audience: claims.aud, jti: claims.jti }, 'a run has a token');
    return { token, expiresAt: new Date(claims.exp * 1000).toISOString() };
  };

  const answer = async (asker: Asker, question: TokenRequest): Promise<void> => {
    const { number } = question;
    try {
      admit(asker, number);
      underWay += 1;
      try {
        asker.send({ type: 'token.reply', number, ...(await exchange(asker, question)) });
      } finally {
        underWay -= 1;
      }
    } catch (error) {
      const known = error instanceof CordonError ? error : undefined;
      if (known === undefined) log.error({ err: error, device: asker.device }, 'the token of a run could not be made');
      const { code, message, retryable } = known ?? { code: 'identity.failed', message: 'try again', retryable: true };
      asker.send({ type: 'token.reply', number, code: code.slice(0, 64), detail: message.slice(0, 512), retryable });
    }
  };
  return { ask: (asker, question) => void answer(asker, question) };
};
