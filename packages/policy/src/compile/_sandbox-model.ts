/** What each sandbox makes of the lists in a request, the slow obvious way, from what was measured or is documented of it. For laws only. */
import type { OperatingSystem } from '../effective.ts';
import { folded, isWithin } from '../match/path.ts';

export interface Lists {
  readonly readonlyPaths?: readonly string[];
  readonly readwritePaths?: readonly string[];
  readonly deniedPaths?: readonly string[];
}

export type Reach = (path: string, access: 'read' | 'write') => boolean;

const covering = (path: string, places: readonly string[] | undefined, os: OperatingSystem): readonly string[] =>
  (places ?? []).filter((place) => isWithin(path, place, os));
const deepest = (places: readonly string[], os: OperatingSystem): number =>
  Math.max(-1, ...places.map((place) => folded(place, os).length));

/** Mounts: the deepest place decides, a mask among them; of the same place the most restrictive list. */
export const mounts =
  (lists: Lists, baseline: readonly string[], os: OperatingSystem): Reach =>
  (path, access) => {
    const denied = deepest(covering(path, lists.deniedPaths, os), os);
    const readonly = deepest([...covering(path, lists.readonlyPaths, os), ...covering(path, baseline, os)], os);
    const readwrite = deepest(covering(path, lists.readwritePaths, os), os);
    if (denied >= Math.max(readonly, readwrite)) return false;
    return access === 'read' || readwrite > readonly;
  };

/** Rules about names: a deny always wins, else the deepest place. */
export const denyWins =
  (lists: Lists, baseline: readonly string[], os: OperatingSystem): Reach =>
  (path, access) =>
    covering(path, lists.deniedPaths, os).length === 0 && mounts({ ...lists, deniedPaths: [] }, baseline, os)(path, access);

/** Entries in access lists: a deny wins, and rights add up, so a read-only place in a writable one is writable. */
export const entries =
  (lists: Lists, baseline: readonly string[], os: OperatingSystem): Reach =>
  (path, access) => {
    if (covering(path, lists.deniedPaths, os).length > 0) return false;
    const writable = covering(path, lists.readwritePaths, os).length > 0;
    return access === 'write' ? writable : writable || covering(path, [...(lists.readonlyPaths ?? []), ...baseline], os).length > 0;
  };
