/** What happens again and again in a run: told at its first, and then by its number, a while later or when the run ends. So nothing is lost and nothing repeats. */
import type { NewEvent } from '@cordon/policy/protocol/events.ts';

export type Countable = Extract<NewEvent, { readonly count: number; readonly run: string }>;
type Uncounted<E> = E extends Countable ? Omit<E, 'count'> : never;

export interface Counted {
  add(event: Uncounted<Countable>): void;
  /** The run is about to end: what was not told yet is. */
  end(run: string): void;
  /** Tells what was counted for long enough. */
  tend(): void;
}

/** Different ones of one run. What is beyond that is told one by one, and bounded by the run's quota. */
const MOST = 256;
const TELL_MS = 600_000;

interface Kept {
  readonly event: Uncounted<Countable>;
  waiting: number;
  toldAt: number;
}

/** @param clock milliseconds that only grow */
export const createCounted = (report: (event: NewEvent) => void, clock: () => number): Counted => {
  const runs = new Map<string, Map<string, Kept>>();
  const tell = (kept: Kept): void => {
    if (kept.waiting === 0) return;
    const count = kept.waiting;
    kept.waiting = 0;
    kept.toldAt = clock();
    report({ ...kept.event, count });
  };
  return {
    add: (event) => {
      const of = runs.get(event.run) ?? new Map<string, Kept>();
      runs.set(event.run, of);
      const key = JSON.stringify(event);
      const known = of.get(key);
      if (known !== undefined) return void (known.waiting += 1);
      if (of.size >= MOST) return report({ ...event, count: 1 });
      const kept = { event, waiting: 1, toldAt: 0 };
      of.set(key, kept);
      tell(kept);
    },
    end: (run) => {
      for (const kept of runs.get(run)?.values() ?? []) tell(kept);
      runs.delete(run);
    },
    tend: () => {
      for (const counted of runs.values()) for (const kept of counted.values()) if (clock() - kept.toldAt >= TELL_MS) tell(kept);
    },
  };
};
