/**
 * The identity of the runs that live: tokens for audiences that their policies name, each for one run, kept in memory for as long as it lives. A run gets its own at its door
 * (`cordon token`); the proxy gets them to attach (egress/attach-identity.ts). None is ever written or logged.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';
import type { DownFrame } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
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
  readonly report: (event: NewEvent) => void;
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
  const { enrollment, spool, runs, state, report, key, send, now, clock, pause = wait } = options;
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
  const requireAudience = (live: LiveRun, audience: string): void => {
    if (!mayReceive(live, audience))
      throw new CordonError(
        'identity.audience',
        `no policy lets ${audience} receive the identity of this run: its owner adds the host under allow, identity, hosts`,
      );
  };
  /** What becomes of it, as an event of the run while it lives. */
  const telling = async (live: LiveRun, audience: string, delivery: Delivery, work: () => Promise<Made>): Promise<Made> => {
    const tell = (outcome: Pick<Extract<NewEvent, { kind: 'run.token' }>, 'verdict' | 'code'>): void => {
      const { run, subject, account } = live;
      if (runs.all().includes(live))
        report({ kind: 'run.token', run: run.run, agent: subject.agent.id, osUser: account.name, audience, delivery, ...outcome });
    };
    try {
      const made = await work();
      tell({ verdict: 'allowed' });
      return made;
    } catch (error) {
      tell({ verdict: 'denied', code: error instanceof CordonError ? error.code.slice(0, 64) : 'identity.failed' });
      throw error;
    }
  };
  const exchanged = async (live: LiveRun, audience: string, delivery: Delivery): Promise<Made> => {
    for (const end = clock() + PATIENCE_MS; ;) {
      requireLive(live);
      requireAudience(live, audience);
      const { run, subject, account } = live;
      const who = { run: run.run, parents: parentsOf(live), user: userOf(account), agent: { ...subject.agent } };
      try {
        return await exchange.ask({ ...who, bundle: state()?.digest ?? '', audience, delivery });
      } catch (error) {
        if (!isRetryable(error) || clock() > end) throw error;
      }
      await pause(PAUSE_MS);
    }
  };
  /** Those who ask for the same meanwhile wait for the same. */
  const make = (live: LiveRun, audience: string, delivery: Delivery, { making, made }: Kept, name: string): Promise<Made> => {
    const begun = making.get(name);
    if (begun !== undefined) return begun;
    requireRate(live);
    const work = telling(live, audience, delivery, () => exchanged(live, audience, delivery)).finally(() => making.delete(name));
    making.set(name, work);
    return work.then((token) => {
      made.set(name, token);
      return token;
    });
  };
  const tokenFor: RunIdentity['tokenFor'] = async (live, audience, delivery) => {
    requireLive(live);
    const keeping = kept.get(live) ?? { making: new Map<string, Promise<Made>>(), made: new Map<string, Made>() };
    kept.set(live, keeping);
    const name = `${delivery} ${audience}`;
    const known = keeping.made.get(name);
    const isGood = known !== undefined && known.expiresAt.getTime() - now().getTime() > FRESH_MS && mayReceive(live, audience);
    const { token, expiresAt } = isGood ? known : await make(live, audience, delivery, keeping, name);
    // It may have ended meanwhile: then nobody gets it any more.
    requireLive(live);
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
