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

/** Mounts over the baseline: the deepest place decides, a mask among them; of the same place the most restrictive list. */
export const mounts =
  ({ deniedPaths, readonlyPaths, readwritePaths }: Lists, baseline: readonly string[], os: OperatingSystem): Reach =>
  (path, access) => {
    const [denied = -1, readonly = -1, readwrite = -1] = [deniedPaths, readonlyPaths, readwritePaths].map((list) =>
      deepest(covering(path, list, os), os),
    );
    const most = Math.max(denied, readonly, readwrite);
    if (most === -1) return access === 'read' && covering(path, baseline, os).length > 0;
    return denied < most && (access === 'read' || readonly < most);
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
