/**
 * Asking for an exception. From outside it is a person's request and goes to the control plane; from inside a run it is a draft, marked, at a low rate, that waits
 * for its person. It grants nothing either way, and never asks for what no exception can give.
 */
import { randomBytes } from 'node:crypto';
import { createDecider } from '@cordon/policy/decide/decider.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import { MAX_REASON, type RequestReply } from '@cordon/policy/protocol/exception-requests.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { createBucket } from '../bucket.ts';
import type { Request } from '../local-api/protocol.ts';
import type { Caller, Converse } from '../local-api/server.ts';
import { effectiveOf, topOf } from '../runs/nesting.ts';
import type { LiveRun } from '../runs/run-table.ts';
import { accountFor } from '../runs/whom.ts';
import { deciderFor, explainBy } from '../runs/why.ts';
import { openRequestBook } from './book.ts';
import { requireAskable } from './askable.ts';
import type { Asked, AskingReply, AskingRequest } from './words.ts';

export interface Asking {
  /** A conversation that also takes requests. */
  answering(converse: Converse): Converse;
  onConnected(): void;
  onFrame(reply: RequestReply): void;
}

export interface AskingOptions {
  readonly stateDir: string;
  readonly state: () => VerifiedState | undefined;
  readonly send: (frame: UpFrame) => boolean;
  readonly now: () => Date;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
}

/** Of one run with all runs inside it. */
const DRAFTS = { burst: 5, perMinute: 0.2 };

const OPS: readonly Request['op'][] = ['request', 'requests', 'request.confirm', 'request.withdraw'];
const isAbout = (request: Request): request is AskingRequest => OPS.includes(request.op);

/** One line without anything that a terminal, or a reader, could take for something else. */
export const plain = (text: string): string =>
  text
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON);

export const createAsking = ({ stateDir, state, send, now, clock }: AskingOptions): Asking => {
  const book = openRequestBook(stateDir);
  const rates = new WeakMap<LiveRun, () => boolean>();
  /** Said again at each connection until it is answered; an older control plane that knows no requests is not told. */
  const flush = (): void => {
    for (const request of book.unsent()) send({ type: 'exception.request', request });
  };
  const admit = (inside: LiveRun): void => {
    const top = topOf(inside);
    const may = rates.get(top) ?? createBucket(DRAFTS, clock);
    rates.set(top, may);
    if (!may())
      throw new CordonError('request.too-many', 'this run has asked too often: its person sees what it asked for', { retryable: true });
  };
  const ask = async (request: Extract<AskingRequest, { op: 'request' }>, caller: Caller): Promise<Asked> => {
    const { inside } = caller;
    if (inside !== undefined) admit(inside);
    const account = accountFor(caller, request.user);
    const decider = inside === undefined ? await deciderFor(state(), request, account) : createDecider(effectiveOf(state(), inside));
    const explained = explainBy(decider, request, account.home);
    requireAskable(decider, explained);
    return book.add({
      id: `req_${randomBytes(15).toString('base64url')}`,
      state: inside === undefined ? 'open' : 'draft',
      at: now().toISOString(),
      agent: decider.effective.subject.agent.id,
      osUser: account.name,
      access: explained.access,
      target: explained.explanation.target.slice(0, 4096),
      reason: plain(request.reason),
      drafted: inside !== undefined,
      run: inside?.run.run ?? null,
      rule: explained.explanation.rule?.rule.slice(0, 160) ?? '',
      policy: explained.explanation.rule?.policy.slice(0, 128) ?? '',
      uid: account.uid,
      stored: null,
    });
  };
  const answer = async (request: AskingRequest, caller: Caller): Promise<AskingReply> => {
    const whose = caller.account.uid === 0 ? undefined : caller.account.uid;
    if (request.op === 'request') return { type: 'asked', asked: await ask(request, caller) };
    if (caller.inside !== undefined) throw new CordonError('local.inside', `${request.op} is not for runs: ask outside`);
    if (request.op === 'requests') return { type: 'requests', requests: book.list(whose) };
    return { type: 'asked', asked: request.op === 'request.confirm' ? book.confirm(request.id, whose) : book.withdraw(request.id, whose) };
  };
  return {
    answering: (converse) => (caller) => {
      const inner = converse(caller);
      return {
        ...inner,
        onRequest: (request) => {
          if (!isAbout(request)) return inner.onRequest(request);
          answer(request, caller).then(
            (reply) => {
              caller.reply(reply);
              flush();
            },
            (error: unknown) => {
              const code = error instanceof CordonError ? error.code : 'request.failed';
              caller.reply({ type: 'error', code, message: error instanceof Error ? error.message : String(error) });
            },
          );
        },
      };
    },
    onConnected: flush,
    onFrame: book.answered,
  };
};
