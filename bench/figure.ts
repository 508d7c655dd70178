/** What a benchmark says, and how rounds become one figure. */

export interface Figure {
  /** Begins with the benchmark's name. */
  readonly name: string;
  readonly product: number;
  /** The same job with the barest call, measured in the same run, round by round. */
  readonly floor: number;
  /** Median of the rounds' ratios. */
  readonly ratio: number;
  readonly unit: string;
  readonly rounds: number;
}

export interface BenchOptions {
  readonly devices: number;
  readonly rounds: number;
  /** Progress, for people. */
  readonly say: (message: string) => void;
}

export interface Round {
  readonly product: number;
  readonly floor: number;
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const round = (value: number): number => Number(value.toPrecision(4));

export const figure = (name: string, unit: string, rounds: readonly Round[]): Figure => ({
  name,
  product: round(median(rounds.map(({ product }) => product))),
  floor: round(median(rounds.map(({ floor }) => floor))),
  ratio: round(median(rounds.map(({ product, floor }) => product / floor))),
  unit,
  rounds: rounds.length,
});
