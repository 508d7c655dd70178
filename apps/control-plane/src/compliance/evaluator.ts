/** Judges devices and writes what changed: those that have just reported, soon after; all of them, in pages, from a job. */
import type { Context } from '../context.ts';
import { judge } from './compliance.ts';
import { readFacts, readFactsAfter, writeJudgements, type DeviceFacts } from './store.ts';

const PAGE = 2000;
/** After a report; a push to ten thousand devices ends before they are judged. */
const SETTLE_MS = 300;

type Needs = Pick<Context, 'pool' | 'clock' | 'log'>;

const write = async ({ pool, clock }: Needs, facts: readonly DeviceFacts[]): Promise<void> => {
  const now = clock();
  if (facts.length > 0) await writeJudgements(pool, new Map(facts.map(({ device, facts }) => [device, judge(facts, now)])), now);
};

/** Judges every device, a page at a time. @returns how many there are */
export const evaluateAll = async (context: Needs): Promise<number> => {
  let count = 0;
  for (let after = ''; ;) {
    const page = await readFactsAfter(context.pool, after, PAGE);
    await write(context, page);
    count += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return count;
    after = last.device;
  }
};

export interface Evaluator {
  /** Devices whose report was just stored. */
  readonly touch: (devices: readonly string[]) => void;
  close(): Promise<void>;
}

export const createEvaluator = (context: Needs): Evaluator => {
  const waiting = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const evaluate = async (): Promise<void> => {
    const devices = [...waiting];
    waiting.clear();
    for (let from = 0; from < devices.length; from += PAGE)
      await write(context, await readFacts(context.pool, devices.slice(from, from + PAGE)));
  };
  const start = (): void => {
    timer = undefined;
    running = running
      .then(evaluate)
      .catch((error: unknown) => context.log.warn({ err: error }, 'devices could not be judged; the next sweep does it'));
  };
  return {
    touch: (devices) => {
      for (const device of devices) waiting.add(device);
      timer ??= setTimeout(start, SETTLE_MS);
    },
    close: async () => {
      clearTimeout(timer);
      start();
      await running;
    },
  };
};
