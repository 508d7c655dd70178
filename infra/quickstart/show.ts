/** What the person in front of the terminal sees: steps with their time, and never five seconds of silence. */

import { visible } from '@cordon/policy/visible.ts';

export interface Show {
  /** Says what happens now, and how long it took when it is done. */
  step<T>(what: string, work: () => Promise<T>): Promise<T>;
  line(text: string): void;
  /** An expectation, its outcome counted. */
  expect(what: string, held: boolean, detail?: string): void;
  readonly counts: { readonly held: number; readonly failed: number };
}

export const createShow = (write: (text: string) => void, now: () => number): Show => {
  const counts = { held: 0, failed: 0 };
  return {
    counts,
    line: (text) => write(`${text}\n`),
    expect: (what, held, detail) => {
      counts[held ? 'held' : 'failed'] += 1;
      write(`  ${held ? 'ok    ' : 'FAILED'} ${what}${detail === undefined ? '' : `  (${visible(detail)})`}\n`);
    },
    step: async (what, work) => {
      const start = now();
      write(`\n${what}\n`);
      const beat = setInterval(() => write(`  … still at it, ${Math.round((now() - start) / 1000)} s\n`), 4000);
      try {
        return await work();
      } finally {
        clearInterval(beat);
        write(`  [${((now() - start) / 1000).toFixed(1)} s]\n`);
      }
    },
  };
};
