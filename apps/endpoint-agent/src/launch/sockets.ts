/** Sockets of programs of the host within what a run is given: whoever listens there would act for it. */
import fs from 'node:fs';
import path from 'node:path';
import { isWithin } from '@cordon/policy/match/path.ts';

/**
 * Names of the sockets that programs of this network namespace have bound, as they were given: the kernel's own list, which needs no walk.
 * @param table /proc/net/unix
 */
const boundNames = (table: string): string[] => Array.from(table.matchAll(/ (\/.*)$/gm), ([, name = '']) => name);

/** undefined when there is no such folder, here or at all. */
const realFolder = (place: string): string | undefined => {
  try {
    return fs.realpathSync.native(place);
  } catch {
    return undefined;
  }
};

/**
 * @param grants real paths
 * @param hidden real paths within them that the run does not see
 * @returns real paths of sockets that somebody has bound and that the run could reach
 */
export const socketsWithin = (grants: readonly string[], hidden: readonly string[]): string[] => {
  const within = (places: readonly string[], name: string): boolean => places.some((place) => isWithin(name, place, 'linux'));
  const byFolder = Map.groupBy(new Set(boundNames(fs.readFileSync('/proc/net/unix', 'utf8'))), (name) => path.dirname(name));
  return [...byFolder]
    .flatMap(([named, names]) => {
      const folder = realFolder(named);
      return folder === undefined ? [] : names.map((name) => path.join(folder, path.basename(name)));
    })
    .filter((place) => within(grants, place) && !within(hidden, place))
    .filter((place) => fs.lstatSync(place, { throwIfNoEntry: false })?.isSocket() === true);
};
