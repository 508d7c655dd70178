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
  /** Asked before each round: a benchmark that is interrupted removes what it made. */
  readonly signal: AbortSignal;
}

export interface Round {
  readonly product: number;
  readonly floor: number;
}

/** The middle value, or the mean of the two in the middle; not a number for none. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted.length >> 1;
  return ((sorted[upper] ?? Number.NaN) + (sorted[sorted.length % 2 === 0 ? upper - 1 : upper] ?? Number.NaN)) / 2;
};

const round = (value: number): number => Number(value.toPrecision(4));

export const figure = (name: string, unit: string, rounds: readonly Round[]): Figure => ({
  name,
  product: round(median(rounds.map(({ product }) => product))),
  floor: round(median(rounds.map(({ floor }) => floor))),
  ratio: round(median(rounds.map(({ product, floor }) => product / floor))),
  unit,
  rounds: rounds.length,
});
