/** From rules to grants: what the limits leave of each allow, and what a deny takes out of it. Pure set work on canonical paths. */
import type { EffectivePolicy, OperatingSystem, PathRule, RuleOrigin } from '../effective.ts';
import { folded, isWithin, lookUpwards } from '../match/path.ts';

export interface Grants {
  /** Visible, read-only. */
  readonly read: readonly string[];
  /** Visible, writable. */
  readonly write: readonly string[];
  /** Hidden, each inside something visible. */
  readonly hidden: readonly string[];
  /** Read-only, each inside something writable. */
  readonly readOnly: readonly string[];
  /** Grants inside a denied place: they give nothing. */
  readonly shadowed: readonly { readonly path: string; readonly by: RuleOrigin }[];
}

/** Places of one kind; asks whether a path is one of them or lies below one in as many steps as the path has parents. */
class Places<T> {
  readonly #os: OperatingSystem;
  readonly #at = new Map<string, T>();
  readonly #lengths = new Set<number>();

  constructor(os: OperatingSystem, places: Iterable<readonly [path: string, value: T]>) {
    this.#os = os;
    for (const [path, value] of places) {
      const key = folded(path, os);
      if (this.#at.has(key)) continue;
      this.#at.set(key, value);
      this.#lengths.add(key.length);
    }
  }

  /** @param strict only a place above the path counts, not the path itself */
  covering(path: string, strict = false): T | undefined {
    if (this.#at.size === 0) return undefined;
    const own = folded(path, this.#os);
    return lookUpwards(own, this.#os, (place) => (strict && place === own ? undefined : this.#at.get(place)), this.#lengths);
  }
}

/** Once each; their order is that of the rules, which is the same for equal policies. */
const unique = (paths: readonly string[]): string[] => [...new Set(paths)];

/** What is left of `paths` when each must lie in one of `limit`: itself, or those parts of it that do. */
const intersect = (paths: readonly string[], limit: readonly string[], os: OperatingSystem): string[] => {
  const inside = new Places(
    os,
    limit.map((path) => [path, true]),
  );
  return paths.flatMap((path) => (inside.covering(path) ? [path] : limit.filter((part) => isWithin(part, path, os))));
};

/**
 * @param visible what the sandbox shows by itself (its baseline): a deny inside it must be emitted too
 * @returns grants in which no path lies in a hidden one: a grant inside a denied parent is shadowed and never emitted, since sandboxes disagree about it
 */
export const grantsOf = (effective: EffectivePolicy, visible: readonly string[]): Grants => {
  const { os } = effective.subject;
  const hides: PathRule[] = [];
  const freezes: PathRule[] = [];
  const reads: string[] = [];
  const writes: string[] = [];
  for (const rule of effective.paths) {
    if (rule.effect === 'deny') (rule.access === 'access' ? hides : freezes).push(rule);
    else if (rule.origin.source !== 'builtin') {
      reads.push(rule.path);
      if (rule.access === 'write') writes.push(rule.path);
    }
  }
  const hidden = new Places(
    os,
    hides.map((rule) => [rule.path, rule.origin]),
  );
  const frozen = new Places(
    os,
    freezes.map((rule) => [rule.path, rule.origin]),
  );
  const limited = (paths: readonly string[], access: 'read' | 'write'): string[] =>
    effective.pathLimits
      .filter((limit) => limit.access === 'read' || access === 'write')
      .reduce<string[]>((left, limit) => intersect(left, limit.paths, os), unique(paths));
  const shadowed = new Map(
    unique(reads).flatMap((path) => {
      const by = hidden.covering(path);
      return by === undefined ? [] : [[path, by] as const];
    }),
  );
  /** A limit may have cut a grant down to a part of it, which is judged anew. */
  const asked = new Set(reads);
  const shown = (paths: readonly string[]): string[] =>
    unique(paths.filter((path) => (asked.has(path) ? !shadowed.has(path) : hidden.covering(path) === undefined)));
  const write = shown(limited(writes, 'write')).filter((path) => frozen.covering(path) === undefined);
  const writable = new Set(write);
  const read = shown(limited(reads, 'read')).filter((path) => !writable.has(path));
  const own = new Places(
    os,
    [...read, ...write].map((path) => [path, true]),
  );
  const baseline = new Places(
    os,
    visible.map((path) => [path, true]),
  );
  const writableAbove = new Places(
    os,
    write.map((path) => [path, true]),
  );
  return {
    read,
    write,
    // What the system itself hides from ordinary users (/etc/shadow) needs no mask of ours in the baseline.
    hidden: unique(
      hides
        .filter(
          ({ path, origin }) =>
            hidden.covering(path, true) === undefined &&
            (own.covering(path, true) || (origin.source !== 'builtin' && baseline.covering(path, true))),
        )
        .map(({ path }) => path),
    ),
    // A read-only mount inside a hidden place would bring it back.
    readOnly: unique(
      freezes.filter(({ path }) => writableAbove.covering(path, true) && hidden.covering(path) === undefined).map(({ path }) => path),
    ),
    shadowed: [...shadowed].map(([path, by]) => ({ path, by })),
  };
};
