/** Joining unattended: asked again until it is answered. The same key and token have the same answer, so nothing is used twice, over restarts too. */
import { setTimeout as wait } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';
import { backoff } from '../control/backoff.ts';

export interface PersistOptions {
  readonly signal: AbortSignal;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: (message: string) => void;
}

/** Another request for this very key was under way. */
const AGAIN = new Set(['enroll.again']);

/**
 * Tries until it works, or can work no more: with full jitter, so that a thousand machines that were imaged together do not ask together.
 * @throws what is not worth another try, or the last failure once the signal is aborted
 */
export const persist = async <T>(attempt: () => Promise<T>, { signal, random, log }: PersistOptions): Promise<T> => {
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || !(error instanceof CordonError) || !(error.retryable || AGAIN.has(error.code))) throw error;
      const ms = backoff(failures, random());
      log(`not enrolled yet: ${error.message} [${error.code}]; again in ${Math.ceil(ms / 1000)} s`);
      await wait(ms, undefined, { signal }).catch(() => undefined); // an aborted wait ends with one last try
      if (signal.aborted) throw error;
    }
  }
};
