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

/** All that is said of one place. */
interface Said {
  readonly path: string;
  /** Some allow names it, whatever the limits leave of that. */
  asked: boolean;
  read: boolean;
  write: boolean;
  hiddenBy: RuleOrigin | undefined;
  /** Not only the system itself hides it. */
  masked: boolean;
  frozen: boolean;
  baseline: boolean;
}

/** What holds at a place, from itself and all above it. */
interface Standing extends Omit<Said, 'path' | 'asked'> {
  /** A mask over it or above it is emitted already. */
  readonly covered: boolean;
}
const NOWHERE: Standing = { read: false, write: false, hiddenBy: undefined, masked: false, frozen: false, baseline: false, covered: false };

/** What is left of `paths` when each must lie in one of `limit`: itself, or those parts of it that do. */
const intersect = (paths: readonly string[], limit: readonly string[], os: OperatingSystem): string[] => {
  const inside = new Places(limit, os);
  return paths.flatMap((path) => (inside.covering(path) === undefined ? limit.filter((part) => isWithin(part, path, os)) : [path]));
};

/** @returns everything that is said of each place, every place after those that it lies in, and each with a key that begins with theirs */
const placesIn = (
  effective: EffectivePolicy,
  { baseline, masksBaseline, grantsTmp }: Surroundings,
): readonly (readonly [key: string, said: Said])[] => {
  const { os } = effective.subject;
  const places = new Map<string, Said>();
  const at = (path: string): Said => {
    const key = folded(path, os);
    const known = places.get(key);
    if (known !== undefined) return known;
    const said = { path, asked: false, read: false, write: false, hiddenBy: undefined, masked: false, frozen: false, baseline: false };
    places.set(key, said);
    return said;
  };
  const reads: string[] = [];
  const writes: string[] = [];
  for (const { path, access, effect, origin } of effective.paths) {
    const builtin = origin.source === 'builtin';
    if (effect === 'deny' && access === 'access') {
      const said = at(path);
      said.hiddenBy ??= origin;
      said.masked ||= masksBaseline || !builtin;
    } else if (effect === 'deny') at(path).frozen = true;
    else if (!builtin) {
      at(path).asked = true;
      reads.push(path);
      if (access === 'write') writes.push(path);
    } else if (grantsTmp && access === 'write') at(path).write = true; // no limit takes it away: nothing would start
  }
  const left = (paths: readonly string[], access: 'read' | 'write'): readonly string[] =>
    effective.pathLimits
      .filter((limit) => limit.access === 'read' || access === 'write')
      .reduce<readonly string[]>((some, limit) => intersect(some, limit.paths, os), paths);
  for (const path of left(reads, 'read')) at(path).read = true;
  for (const path of left(writes, 'write')) at(path).write = true;
  for (const path of baseline) at(path).baseline = true;
  const separator = os === 'windows' ? '\\' : '/';
  // No name holds a zero, and none sorts before it: what lies in a place follows it at once.
  const keyed = [...places].map(([key, said]) => [key.replaceAll(separator, '\0'), said] as const);
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1));
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
  const above: { readonly key: string; readonly here: Standing }[] = [];
  for (const [key, said] of placesIn(effective, surroundings)) {
    while (above.length > 0 && !key.startsWith(above.at(-1)?.key ?? '')) above.pop();
    const parent = above.at(-1)?.here ?? NOWHERE;
    const { path } = said;
    const hiddenBy = parent.hiddenBy ?? said.hiddenBy;
    const masked = parent.masked || said.masked;
    const frozen = parent.frozen || said.frozen;
    const baseline = parent.baseline || said.baseline;
    const granted = parent.read || parent.write;
    // A mask is emitted at a hidden place that something shows, or at a folder of the baseline in one.
    const covers =
      hiddenBy !== undefined && !parent.covered && (said.hiddenBy !== undefined || said.baseline) && (granted || (baseline && masked));
    if (covers) hidden.push(path);
    if (hiddenBy !== undefined && said.asked) shadowed.push({ path, by: hiddenBy });
    const writes = said.write && !frozen && hiddenBy === undefined;
    const reads = said.read && hiddenBy === undefined;
    if (writes && !parent.write) write.push(path);
    else if (reads && !granted) read.push(path);
    // A read-only mount inside a hidden place would bring it back.
    if (said.frozen && !parent.frozen && parent.write && hiddenBy === undefined) readOnly.push(path);
    const here = {
      read: parent.read || reads,
      write: parent.write || writes,
      hiddenBy,
      masked,
      frozen,
      baseline,
      covered: parent.covered || covers,
    };
    above.push({ key: `${key}\0`, here });
  }
  return { read, write, hidden, readOnly, shadowed };
};
