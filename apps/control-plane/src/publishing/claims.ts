/** Sets of open groups in which devices were seen, by their cohort's key: what the signer tries on a cohort that a target may cover. It believes none of them. */

/** Different sets that are remembered of one cohort. */
const MAX_SETS = 256;

export class Claims {
  readonly #sets = new Map<string, Map<string, readonly string[]>>();

  /** @param open groups of a device in this cohort */
  note(cohort: string, open: readonly string[]): void {
    const sets = this.#sets.get(cohort) ?? new Map<string, readonly string[]>();
    this.#sets.set(cohort, sets);
    const name = open.join(' ');
    // Those that were not seen for the longest time go first.
    sets.delete(name);
    sets.set(name, open);
    const [oldest] = sets.keys();
    if (sets.size > MAX_SETS && oldest !== undefined) sets.delete(oldest);
  }

  of(cohort: string): readonly (readonly string[])[] {
    return [...(this.#sets.get(cohort)?.values() ?? [])];
  }

  ofAll(cohorts: Iterable<string>): ReadonlyMap<string, readonly (readonly string[])[]> {
    return new Map([...cohorts].map((cohort) => [cohort, this.of(cohort)]));
  }
}
