/** Changed accesses by device, agent and rule, as many different ones as there is room for; the rest is counted. */
import type { RuleOrigin } from '../effective.ts';
import type { Outcome } from './outcome.ts';

export interface SimulatedRow {
  readonly change: 'denied' | 'allowed';
  readonly device: string;
  readonly agent: string;
  /** What decides now, and what decided before; undefined is default deny, or that nothing starts. */
  readonly rule: RuleOrigin | undefined;
  readonly was: RuleOrigin | undefined;
  readonly count: number;
  /** The first few targets. */
  readonly examples: readonly string[];
}

export type Changed = Extract<Outcome, { readonly target: string }>;
type Row = { -readonly [Key in keyof SimulatedRow]: SimulatedRow[Key] } & { examples: string[] };

const EXAMPLES = 5;

export class Rows {
  readonly #rows = new Map<string, Row>();
  /** Numbers of different changes: rules that decide now and before. */
  readonly #changes = new Map<string, number>();
  readonly #most: number;
  #overflow = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get overflow(): number {
    return this.#overflow;
  }

  /** @returns a number for the change, the same for the same rules */
  numberOf({ kind, rule, was }: Changed): number {
    const key = JSON.stringify([kind, rule?.rule, was?.rule]);
    const known = this.#changes.get(key) ?? this.#changes.size;
    this.#changes.set(key, known);
    return known;
  }

  add(device: string, agent: string, number: number, { kind: change, rule, was, target }: Changed): void {
    // A length keeps hostile names apart.
    const key = `${number} ${agent.length} ${agent} ${device}`;
    const row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= this.#most) this.#overflow += 1;
      else this.#rows.set(key, { change, device, agent, rule, was, count: 1, examples: [target] });
      return;
    }
    row.count += 1;
    if (row.examples.length < EXAMPLES && !row.examples.includes(target)) row.examples.push(target);
  }

  /** The most frequent first. */
  all(): readonly SimulatedRow[] {
    const keyOf = ({ change, device, agent, rule, was }: Row): string => JSON.stringify([change, device, agent, rule?.rule, was?.rule]);
    return [...this.#rows.values()]
      .map((row) => ({ key: keyOf(row), row: { ...row, examples: [...row.examples] } }))
      .sort((a, b) => b.row.count - a.row.count || (a.key < b.key ? -1 : 1))
      .map(({ row }) => row);
  }
}
