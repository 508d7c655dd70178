/**
 * The identity of the runs that live: tokens for audiences that their policies name, each for one run, kept in memory for as long as it lives. A run gets its own at its door
 * (`cordon token`); the proxy gets them to attach (egress/attach-identity.ts). None is ever written or logged.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';
import type { DownFrame } from '@cordon/policy/protocol/channel.ts';
import { audienceOf, readAudience, type Delivery, type UserClaim } from '@cordon/policy/trust/run-token.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { createBucket } from '../bucket.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { localAccount, type Account } from '../local-api/accounts.ts';
import type { Caller, Converse } from '../local-api/server.ts';
import { effectiveOf, topOf } from '../runs/nesting.ts';
import type { LiveRun, RunTable } from '../runs/run-table.ts';
import type { Spool } from '../telemetry/spool.ts';
import { createExchange, type ExchangeOptions, type Made } from './exchange.ts';
import type { GivenToken } from './requests.ts';

/** A kept token is given out again while it lasts at least this long. */
const FRESH_MS = 120_000;
/** New tokens for one run and all that it starts. */
const RATE = { burst: 20, perMinute: 20 };
/** The report that a run began, or that a policy is in force, may still be on its way to the control plane. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 200;

export interface RunIdentityOptions extends Omit<ExchangeOptions, 'org' | 'device' | 'boot'> {
  readonly enrollment: Pick<Enrollment, 'org' | 'device'>;
  readonly spool: Pick<Spool, 'boot'>;
  readonly runs: Pick<RunTable, 'all'>;
  /** What is in force. */
  readonly state: () => VerifiedState | undefined;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
  readonly pause?: (ms: number) => Promise<unknown>;
}

export interface RunIdentity {
  /** @throws CordonError `identity.*`, `host.invalid`, or the control plane's own code */
  tokenFor(live: LiveRun, audience: string, delivery: Delivery): Promise<GivenToken>;
  onFrame(frame: Extract<DownFrame, { type: 'welcome' | 'token.reply' }>): void;
  /** A conversation in which a run may also ask for its own tokens. */
  answering(converse: Converse): Converse;
}

interface Kept {
  readonly making: Map<string, Promise<Made>>;
  readonly made: Map<string, Made>;
}

const userOf = ({ name, uid }: Account): UserClaim => ({ name, kind: localAccount(uid)?.name === name ? 'local' : 'directory' });

const parentsOf = ({ parent }: LiveRun): string[] => (parent === undefined ? [] : [parent.run.run, ...parentsOf(parent)]);

const isRetryable = (error: unknown): boolean =>
  error instanceof CordonError && error.retryable && !['identity.offline', 'identity.rate'].includes(error.code);

export const createRunIdentity = (options: RunIdentityOptions): RunIdentity => {
  const { enrollment, spool, runs, state, key, send, now, clock, pause = wait } = options;
  const exchange = createExchange({ org: enrollment.org, device: enrollment.device, boot: spool.boot, key, send, now });
  const kept = new WeakMap<LiveRun, Kept>();
  const rates = new WeakMap<LiveRun, () => boolean>();

  const requireLive = (live: LiveRun): void => {
    if (!runs.all().includes(live)) throw new CordonError('identity.run-ended', 'the run has ended, and its identity with it');
  };
  const requireRate = (live: LiveRun): void => {
    const top = topOf(live);
    const take = rates.get(top) ?? createBucket(RATE, clock);
    rates.set(top, take);
    if (!take()) throw new CordonError('identity.rate', 'this run asks for too many tokens: keep one until it ends', { retryable: true });
  };
  const mayReceive = (live: LiveRun, audience: string): boolean =>
    effectiveOf(state(), live).identity.some(({ host }) => audienceOf(host) === audience);

  const make = async (live: LiveRun, audience: string, delivery: Delivery): Promise<Made> => {
    requireRate(live);
    for (const end = clock() + PATIENCE_MS; ;) {
      requireLive(live);
      const { run, subject, account } = live;
      const bundle = state()?.digest ?? '';
      try {
        const about = {
          run: run.run,
          parents: parentsOf(live),
          user: userOf(account),
          agent: { ...subject.agent },
          bundle,
          audience,
          delivery,
        };
        return await exchange.ask(about);
      } catch (error) {
        if (!isRetryable(error) || clock() > end) throw error;
      }
      await pause(PAUSE_MS);
    }
  };
  const tokenFor: RunIdentity['tokenFor'] = async (live, audience, delivery) => {
    requireLive(live);
    if (!mayReceive(live, audience))
      throw new CordonError(
        'identity.audience',
        `no policy lets ${audience} receive the identity of this run: its owner adds the host under allow, identity, hosts`,
      );
    const { making, made } = kept.get(live) ?? { making: new Map<string, Promise<Made>>(), made: new Map<string, Made>() };
    kept.set(live, { making, made });
    const name = `${delivery} ${audience}`;
    const known = made.get(name);
    const isFresh = known !== undefined && known.expiresAt.getTime() - now().getTime() > FRESH_MS;
    const wanted = isFresh
      ? Promise.resolve(known)
      : (making.get(name) ?? make(live, audience, delivery).finally(() => making.delete(name)));
    if (!isFresh) making.set(name, wanted);
    const { token, expiresAt } = await wanted;
    // It may have ended meanwhile: then nobody gets it any more.
    requireLive(live);
    made.set(name, { token, expiresAt });
    return { token, audience, expiresAt: expiresAt.toISOString() };
  };

  const answer = (caller: Caller, live: LiveRun, asked: string): void => {
    const failed = (error: unknown): void => {
      const { code, message } = error instanceof CordonError ? error : { code: 'identity.failed', message: 'there is no token now' };
      caller.reply({ type: 'error', code, message });
    };
    try {
      tokenFor(live, readAudience(asked), 'workload').then((given) => caller.reply({ type: 'token', ...given }), failed);
    } catch (error) {
      failed(error);
    }
  };
  return {
    tokenFor,
    onFrame: (frame) => (frame.type === 'welcome' ? exchange.onWelcome(frame.nonce) : exchange.onReply(frame)),
    answering: (converse) => (caller) => {
      const inner = converse(caller);
      return {
        ...inner,
        onRequest: (request) => {
          if (request.op !== 'token') return inner.onRequest(request);
          if (caller.inside === undefined)
            throw new CordonError('identity.outside', 'a token is the identity of a run: ask inside one (cordon run -- cordon token …)');
          answer(caller, caller.inside, request.audience);
        },
      };
    },
  };
};
