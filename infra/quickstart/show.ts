/** What the person in front of the terminal sees: steps with their time, and never five seconds of silence. */

export interface Show {
  /** Says what happens now, and how long it took when it is done. */
  step<T>(what: string, work: () => Promise<T>): Promise<T>;
  line(text: string): void;
  /** An expectation, its outcome counted. */
  expect(what: string, held: boolean, detail?: string): void;
  readonly counts: { readonly held: number; readonly failed: number };
}

/** Foreign text with control and bidirectional characters made visible, on one line. */
export const visible = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

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
