/** Signs the ends of chains now and then: every so many events, every so many minutes, and when a connection, a chain or the daemon ends. Beside the reports, never before them. */
import type { HeadFrame } from '@cordon/policy/protocol/channel.ts';
import type { Spool, UnsignedHead } from './spool.ts';

const EVENTS = 500;
const EVERY_MS = 10 * 60_000;

export interface Heads {
  /** Signs and sends what is due. */
  look(): Promise<void>;
  /** The same for everything that is not signed yet. */
  finish(): Promise<void>;
  /** Of what was sent on the connection before, nobody knows whether it came. */
  onConnected(): void;
}

export interface HeadsOptions {
  readonly spool: Pick<Spool, 'heads'>;
  /** @returns the signed statement */
  readonly sign: (head: UnsignedHead) => Promise<string>;
  /** @returns whether it was handed to an open connection */
  readonly send: (frame: HeadFrame) => boolean;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
  readonly log: (message: string) => void;
}

export const createHeads = ({ spool, sign, send, clock, log }: HeadsOptions): Heads => {
  /** By boot: what was sent and is not answered. */
  const sent = new Map<string, number>();
  let signedAt = clock();
  let turn = Promise.resolve();

  const signAll = async (heads: readonly UnsignedHead[]): Promise<void> => {
    for (const head of heads) {
      const { boot, seq, hash } = head;
      if (sent.get(boot) === seq || !send({ type: 'head', boot, seq, hash, head: await sign(head) })) continue;
      sent.set(boot, seq);
      signedAt = clock();
    }
    const waiting = spool.heads();
    for (const boot of sent.keys()) if (!waiting.some((head) => head.boot === boot)) sent.delete(boot);
  };
  const inTurn = (choose: () => readonly UnsignedHead[]): Promise<void> =>
    (turn = turn.then(() => signAll(choose())).catch((error: unknown) => log(`the head of a chain could not be signed: ${String(error)}`)));
  const isDue = ({ ended, unsigned }: UnsignedHead): boolean => ended || unsigned >= EVENTS || clock() - signedAt >= EVERY_MS;

  return {
    look: () => (spool.heads().some(isDue) ? inTurn(() => spool.heads().filter(isDue)) : turn),
    finish: () => inTurn(spool.heads),
    onConnected: () => {
      sent.clear();
      void inTurn(spool.heads);
    },
  };
};
