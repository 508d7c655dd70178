/** Statements about runs, signed and exchanged for tokens in the session that is open: one question after the other, each with its number. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import type { TokenReply } from '@cordon/policy/protocol/run-tokens.ts';
import type { Signer } from '@cordon/policy/trust/envelope.ts';
import { signRunStatement, type RunStatement } from '@cordon/policy/trust/run-statement.ts';

const ANSWER_MS = 10_000;

export interface ExchangeOptions {
  readonly org: string;
  readonly device: string;
  readonly boot: string;
  readonly key: () => Signer;
  /** @returns whether it was handed to an open connection */
  readonly send: (frame: UpFrame) => boolean;
  readonly now: () => Date;
}

/** What of a statement is the run's. */
export type About = Pick<RunStatement, 'run' | 'parents' | 'user' | 'agent' | 'bundle' | 'audience' | 'delivery'>;

export interface Made {
  readonly token: string;
  readonly expiresAt: Date;
}

export interface Exchange {
  /** @throws CordonError `identity.offline`, `identity.late`, or the control plane's own code */
  ask(about: About): Promise<Made>;
  /** A session has begun: what was asked in the one before is lost. */
  onWelcome(nonce: string): void;
  onReply(reply: TokenReply): void;
}

interface Asked {
  resolve(made: Made): void;
  reject(error: Error): void;
}

const offline = (): CordonError =>
  new CordonError('identity.offline', 'this device is not connected to a control plane that makes tokens for runs: try again', {
    retryable: true,
  });

export const createExchange = ({ org, device, boot, key, send, now }: ExchangeOptions): Exchange => {
  const waiting = new Map<number, Asked>();
  let session: { readonly nonce: string; last: number } | undefined;
  /** Numbers must arrive in their order. */
  let turn: Promise<unknown> = Promise.resolve();

  const put = async (about: About, asked: Asked): Promise<number> => {
    const current = session;
    if (current === undefined) throw offline();
    const number = (current.last += 1);
    const at = now().toISOString();
    const signed = await signRunStatement({ format: 'cordon-run/1', org, device, boot, nonce: current.nonce, number, at, ...about }, key());
    if (current !== session) throw offline();
    waiting.set(number, asked);
    if (send({ type: 'token', number, statement: signed })) return number;
    waiting.delete(number);
    throw offline();
  };
  const settle = (number: number): Asked | undefined => {
    const asked = waiting.get(number);
    waiting.delete(number);
    return asked;
  };
  return {
    ask: async (about) => {
      const { promise, resolve, reject } = Promise.withResolvers<Made>();
      const sent = turn.then(() => put(about, { resolve, reject }));
      turn = sent.catch(() => undefined); // whoever asked hears of it
      const number = await sent;
      const late = setTimeout(
        () => settle(number)?.reject(new CordonError('identity.late', 'the control plane did not answer in time', { retryable: true })),
        ANSWER_MS,
      );
      return promise.finally(() => clearTimeout(late));
    },
    onWelcome: (nonce) => {
      session = { nonce, last: 0 };
      for (const number of waiting.keys()) settle(number)?.reject(offline());
    },
    onReply: ({ number, token, expiresAt = '', code = 'identity.failed', detail = 'it was refused', retryable = false }) => {
      const ends = new Date(expiresAt);
      if (token !== undefined && !Number.isNaN(ends.getTime())) settle(number)?.resolve({ token, expiresAt: ends });
      else settle(number)?.reject(new CordonError(code, detail, { retryable }));
    },
  };
};
