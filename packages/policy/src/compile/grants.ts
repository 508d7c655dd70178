/** From rules to grants: what the limits leave of each allow, and what a deny takes out of it. Pure set work on canonical paths. */
import type { EffectivePolicy, OperatingSystem, RuleOrigin } from '../effective.ts';
import { folded, isWithin } from '../match/path.ts';
import { Places } from './places.ts';

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

/** What holds at a place: what is said of it at first, and when it was walked over, with what holds above it. */
interface Standing {
  read: boolean;
  write: boolean;
  hiddenBy: RuleOrigin | undefined;
  /** Not only the system itself hides it. */
  masked: boolean;
  frozen: boolean;
  baseline: boolean;
  /** A mask over it or above it is emitted already. */
  covered: boolean;
}
const nothingSaid = (): Standing => ({
  read: false,
  write: false,
  hiddenBy: undefined,
  masked: false,
  frozen: false,
  baseline: false,
  covered: false,
});

interface Place {
  readonly path: string;
  /** The path as the system compares it. */
  readonly key: string;
  /** Some allow names it, whatever the limits leave of that. */
  asked: boolean;
  readonly here: Standing;
}

/** What is left of `paths` when each must lie in one of `limit`: itself, or those parts of it that do. */
const intersect = (paths: readonly string[], limit: readonly string[], os: OperatingSystem): string[] => {
  const inside = new Places(limit, os);
  return paths.flatMap((path) => (inside.covering(path) === undefined ? limit.filter((part) => isWithin(part, path, os)) : [path]));
};

/** @returns everything that is said of each place, every place after those that it lies in */
const placesIn = (effective: EffectivePolicy, { baseline, masksBaseline, grantsTmp }: Surroundings): readonly Place[] => {
  const { os } = effective.subject;
  const places = new Map<string, Place>();
  const at = (path: string): Place => {
    const key = folded(path, os);
    const known = places.get(key);
    if (known !== undefined) return known;
    const place = { path, key, asked: false, here: nothingSaid() };
    places.set(key, place);
    return place;
  };
  const reads: string[] = [];
  const writes: string[] = [];
  for (const { path, access, effect, origin } of effective.paths) {
    const builtin = origin.source === 'builtin';
    if (effect === 'deny' && access === 'access') {
      const { here } = at(path);
      here.hiddenBy ??= origin;
      here.masked ||= masksBaseline || !builtin;
    } else if (effect === 'deny') at(path).here.frozen = true;
    else if (!builtin) {
      at(path).asked = true;
      reads.push(path);
      if (access === 'write') writes.push(path);
    } else if (grantsTmp && access === 'write') at(path).here.write = true; // no limit takes it away: nothing would start
  }
  const left = (paths: readonly string[], access: 'read' | 'write'): readonly string[] =>
    effective.pathLimits
      .filter((limit) => limit.access === 'read' || access === 'write')
      .reduce<readonly string[]>((some, limit) => intersect(some, limit.paths, os), paths);
  for (const path of left(reads, 'read')) at(path).here.read = true;
  for (const path of left(writes, 'write')) at(path).here.write = true;
  for (const path of baseline) at(path).here.baseline = true;
  return [...places.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
};

const NOTHING: Grants = { read: [], write: [], hidden: [], readOnly: [], shadowed: [] };

/** @returns grants in which no path lies in a hidden one: a grant inside a denied parent is shadowed and never emitted, since sandboxes disagree about it */
export const grantsOf = (effective: EffectivePolicy, surroundings: Surroundings): Grants => {
  if (effective.refused !== undefined) return NOTHING;
  const read: string[] = [];
  const write: string[] = [];
  const hidden: string[] = [];
  const readOnly: string[] = [];
  const shadowed: { path: string; by: RuleOrigin }[] = [];
  const separator = effective.subject.os === 'windows' ? '\\' : '/';
  const outside = nothingSaid();
  // Whose keys the current one begins with, as text: `/a` is kept at `/a-b`, which sorts before `/a/b` and does not lie in it.
  const above: Place[] = [];
  for (const place of placesIn(effective, surroundings)) {
    const { path, key, asked, here } = place;
    while (above.length > 0 && !key.startsWith(above.at(-1)?.key ?? '')) above.pop();
    const parent = above.findLast((upper) => upper.key.endsWith(separator) || key[upper.key.length] === separator)?.here ?? outside;
    const hiddenBy = parent.hiddenBy ?? here.hiddenBy;
    const masked = parent.masked || here.masked;
    const baseline = parent.baseline || here.baseline;
    const granted = parent.read || parent.write;
    // A mask is emitted at a hidden place that something shows, or at a folder of the baseline in one.
    const covers =
      hiddenBy !== undefined && !parent.covered && (here.hiddenBy !== undefined || here.baseline) && (granted || (baseline && masked));
    if (covers) hidden.push(path);
    if (hiddenBy !== undefined && asked) shadowed.push({ path, by: hiddenBy });
    const writes = here.write && !(parent.frozen || here.frozen) && hiddenBy === undefined;
    const reads = here.read && hiddenBy === undefined;
    if (writes && !parent.write) write.push(path);
    else if (reads && !granted) read.push(path);
    // A read-only mount inside a hidden place would bring it back.
    if (here.frozen && !parent.frozen && parent.write && hiddenBy === undefined) readOnly.push(path);
    here.read = parent.read || reads;
    here.write = parent.write || writes;
    here.hiddenBy = hiddenBy;
    here.masked = masked;
    here.frozen ||= parent.frozen;
    here.baseline = baseline;
    here.covered = parent.covered || covers;
    above.push(place);
  }
  return { read, write, hidden, readOnly, shadowed };
};
