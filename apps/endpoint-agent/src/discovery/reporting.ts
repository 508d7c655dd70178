/** Sends the inventory where it changed, once a minute at most, and after each connection. */
import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import type { Inventory } from '@cordon/policy/protocol/inventory.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';

const LEAST_MS = 60_000;

export interface InventoryReporter {
  /** It may have changed. */
  changed(): void;
  onConnected(): void;
  /** What the control plane says is wrong with a message. */
  onProblem(code: string): void;
  stop(): void;
}

interface Options {
  /** What may be told; undefined before the first list. */
  readonly inventory: () => Inventory | undefined;
  /** @returns whether it was handed to an open connection */
  readonly send: (frame: UpFrame) => boolean;
  readonly now: () => Date;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
  readonly log: (message: string) => void;
}

export const createInventoryReporter = ({ inventory, send, now, clock, log }: Options): InventoryReporter => {
  let sent: { readonly digest: string; readonly at: number } | undefined;
  /** A control plane that does not know the frame ends the connection each time: it is not told any more. */
  let unwanted = false;
  let timer: NodeJS.Timeout | undefined;

  const tell = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const told = inventory();
    if (unwanted || told === undefined) return;
    const digest = sha256Hex(canonicalJson(told));
    if (sent?.digest === digest) return;
    if (send({ type: 'inventory', digest, at: now().toISOString(), inventory: told })) sent = { digest, at: clock() };
  };
  return {
    changed: () => {
      if (timer !== undefined || unwanted) return;
      timer = setTimeout(tell, sent === undefined ? 0 : Math.max(0, sent.at + LEAST_MS - clock()));
      timer.unref();
    },
    onConnected: () => {
      sent = undefined;
      tell();
    },
    onProblem: (code) => {
      if (code !== 'channel.frame' || sent === undefined || unwanted) return;
      unwanted = true;
      log('the control plane is older and takes no inventory: it gets none until this daemon starts again');
    },
    stop: () => clearTimeout(timer),
  };
};
