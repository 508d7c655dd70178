/** From rules to grants: what the limits leave of each allow, and what a deny takes out of it. Pure set work on canonical paths. */
import type { EffectivePolicy, PathRule } from '../effective.ts';
import { isWithin } from '../match/path.ts';

export interface Grants {
  /** Visible, read-only. */
  readonly read: readonly string[];
  /** Visible, writable. */
  readonly write: readonly string[];
  /** Hidden, each inside something visible. */
  readonly hidden: readonly string[];
  /** Read-only, each inside something writable. */
  readonly readOnly: readonly string[];
}

const unique = (paths: readonly string[]): string[] => [...new Set(paths)].sort();

/** What is left of `paths` when each must lie in `limit`: itself, or those parts of it that do. */
const intersect = (paths: readonly string[], limit: readonly string[], os: 'linux'): string[] =>
  paths.flatMap((path) => (limit.some((l) => isWithin(path, l, os)) ? [path] : limit.filter((l) => isWithin(l, path, os))));

/**
 * @param visible what the sandbox shows by itself (its baseline): a deny inside it must be emitted too
 * @returns grants in which no path lies in a hidden one: a grant inside a denied parent is shadowed and never emitted, since sandboxes disagree about it
 */
export const grantsOf = (effective: EffectivePolicy, visible: readonly string[]): Grants => {
  const os = 'linux';
  const hides = effective.paths.filter((rule) => rule.effect === 'deny' && rule.access === 'access');
  const freezes = effective.paths.filter((rule) => rule.effect === 'deny' && rule.access === 'write');
  const granted = (rule: PathRule): boolean => rule.effect === 'allow' && rule.origin.source !== 'builtin';
  const limited = (paths: readonly string[], access: 'read' | 'write'): string[] =>
    effective.pathLimits
      .filter((limit) => limit.access === 'read' || access === 'write')
      .reduce<string[]>((left, limit) => intersect(left, limit.paths, os), [...paths]);
  const shown = (paths: readonly string[]): string[] =>
    unique(paths.filter((path) => !hides.some((deny) => isWithin(path, deny.path, os))));
  const allows = effective.paths.filter(granted);
  const write = shown(
    limited(
      allows.filter((rule) => rule.access === 'write').map((rule) => rule.path),
      'write',
    ),
  ).filter((path) => !freezes.some((deny) => isWithin(path, deny.path, os)));
  const read = shown(
    limited(
      allows.map((rule) => rule.path),
      'read',
    ),
  ).filter((path) => !write.includes(path));
  const inside = (path: string, places: readonly string[]): boolean => places.some((place) => place !== path && isWithin(path, place, os));
  return {
    read,
    write,
    // What the system itself hides from ordinary users (/etc/shadow) needs no mask of ours in the baseline.
    hidden: unique(
      hides
        .filter((rule) => inside(rule.path, [...read, ...write, ...(rule.origin.source === 'builtin' ? [] : visible)]))
        .map((rule) => rule.path),
    ),
    readOnly: unique(freezes.map((rule) => rule.path).filter((path) => inside(path, write))),
  };
};
