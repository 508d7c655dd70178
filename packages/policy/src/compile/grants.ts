/** From rules to grants: what the limits leave of each allow, and what a deny takes out of it. Pure set work on canonical paths. */
import type { EffectivePolicy, OperatingSystem, PathRule, RuleOrigin } from '../effective.ts';
import { isWithin } from '../match/path.ts';
import { outermost, Places, placesOf } from './places.ts';

export interface Grants {
  /** Visible, read-only. No grant lies in one of the same or of more power: it would only make the sandbox's table longer, or take power away. */
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

/** What a sandbox is like before anything is granted. */
export interface Surroundings {
  /** Folders of the host that it shows read-only by itself. */
  readonly baseline: readonly string[];
  /** Whether built-in denies are masked in the baseline too; else the system's own permissions are trusted with them (/etc/shadow). */
  readonly masksBaseline: boolean;
  /** Whether the run's private folder lies on the host and must be granted; else the sandbox brings an empty one. */
  readonly grantsTmp: boolean;
}

/** What is left of `paths` when each must lie in one of `limit`: itself, or those parts of it that do. */
const intersect = (paths: readonly string[], limit: readonly string[], os: OperatingSystem): string[] => {
  const inside = placesOf(limit, os);
  return paths.flatMap((path) => (inside.covering(path) === undefined ? limit.filter((part) => isWithin(part, path, os)) : [path]));
};

const NOTHING: Grants = { read: [], write: [], hidden: [], readOnly: [], shadowed: [] };

/** @returns grants in which no path lies in a hidden one: a grant inside a denied parent is shadowed and never emitted, since sandboxes disagree about it */
export const grantsOf = (effective: EffectivePolicy, { baseline, masksBaseline, grantsTmp }: Surroundings): Grants => {
  if (effective.refused !== undefined) return NOTHING;
  const { os } = effective.subject;
  const hides: PathRule[] = [];
  const freezes: PathRule[] = [];
  const reads: string[] = [];
  const writes: string[] = [];
  /** What no limit takes away: nothing would start without it. */
  const own: string[] = [];
  for (const rule of effective.paths) {
    if (rule.effect === 'deny') (rule.access === 'access' ? hides : freezes).push(rule);
    else if (rule.origin.source !== 'builtin') {
      reads.push(rule.path);
      if (rule.access === 'write') writes.push(rule.path);
    } else if (grantsTmp && rule.access === 'write') own.push(rule.path);
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
      .reduce<string[]>((left, limit) => intersect(left, limit.paths, os), [...new Set(paths)]);
  const shown = (paths: readonly string[]): string[] => paths.filter((path) => hidden.covering(path) === undefined);
  const write = outermost(
    shown([...limited(writes, 'write'), ...own]).filter((path) => frozen.covering(path) === undefined),
    os,
  );
  const writable = placesOf(write, os);
  const read = outermost(
    shown(limited(reads, 'read')).filter((path) => writable.covering(path) === undefined),
    os,
  );
  const granted = placesOf([...read, ...write], os);
  const visible = placesOf(baseline, os);
  return {
    read,
    write,
    hidden: outermost(
      hides.flatMap(({ path, origin }) => {
        if (granted.covering(path, true) !== undefined) return [path];
        if (origin.source === 'builtin' && !masksBaseline) return [];
        // What is hidden may lie in the baseline, or hold folders of it.
        return visible.covering(path) === undefined ? baseline.filter((place) => isWithin(place, path, os)) : [path];
      }),
      os,
    ),
    // A read-only mount inside a hidden place would bring it back.
    readOnly: outermost(
      freezes.map(({ path }) => path).filter((path) => writable.covering(path, true) !== undefined && hidden.covering(path) === undefined),
      os,
    ),
    shadowed: [...new Set(reads)].flatMap((path) => {
      const by = hidden.covering(path);
      return by === undefined ? [] : [{ path, by }];
    }),
  };
};
