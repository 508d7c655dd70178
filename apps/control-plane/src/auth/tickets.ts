/** Short-lived secrets that are used once: challenge nonces and session tickets. In memory: losing them costs a retry, keeping them costs nothing. */
import type { Buffer } from 'node:buffer';

export interface OnceStore<T> {
  /** @returns the secret (256 bits, base64url) and when it ends */
  issue(value: T): { readonly secret: string; readonly expiresAt: Date };
  /** Takes the value out: a second call with the same secret finds nothing, and so does one after its end. */
  redeem(secret: string): T | undefined;
}

export interface Tickets {
  issue(device: string): { readonly secret: string; readonly expiresAt: Date };
  /** @returns whose ticket it was, once, within 60 seconds */
  redeemTicket(ticket: string): { readonly device: string } | undefined;
}

export interface OnceOptions {
  readonly now: () => Date;
  readonly random: (bytes: number) => Buffer;
  readonly ttlMs: number;
  /**
   * How many may wait at once. Beyond it the oldest is forgotten: a flood cannot fill the memory, and whoever uses what was issued at once is not shut
   * out by it, as it would be by a refusal.
   */
  readonly capacity: number;
}

export const createOnceStore = <T>({ now, random, ttlMs, capacity }: OnceOptions): OnceStore<T> => {
  const waiting = new Map<string, { readonly value: T; readonly ends: number }>();
  /** Insertion order is order of ending, since all live equally long. */
  const forget = (at: number): void => {
    for (const [secret, { ends }] of waiting) {
      if (ends > at) return;
      waiting.delete(secret);
    }
  };
  return {
    issue: (value) => {
      const at = now().getTime();
      forget(at);
      for (const oldest of waiting.keys()) {
        if (waiting.size < capacity) break;
        waiting.delete(oldest);
      }
      const secret = random(32).toString('base64url');
      waiting.set(secret, { value, ends: at + ttlMs });
      return { secret, expiresAt: new Date(at + ttlMs) };
    },
    redeem: (secret) => {
      const found = waiting.get(secret);
      waiting.delete(secret);
      return found !== undefined && found.ends > now().getTime() ? found.value : undefined;
    },
  };
};

const TTL_MS = 60_000;
const CAPACITY = 200_000;

export const createTickets = (now: () => Date, random: (bytes: number) => Buffer): Tickets => {
  const store = createOnceStore<string>({ now, random, ttlMs: TTL_MS, capacity: CAPACITY });
  return {
    issue: (device) => store.issue(device),
    redeemTicket: (ticket) => {
      const device = store.redeem(ticket);
      return device === undefined ? undefined : { device };
    },
  };
};
