/** Grants on one machine: what is there, and what belongs to Cordon itself. Pure: everything that it must know of the machine is in the endpoint. */
import type { OperatingSystem } from '../effective.ts';
import { folded, isWithin, lookUpwards } from '../match/path.ts';
import type { Grants } from './grants.ts';
import { outermost, Places } from './places.ts';

/** What only the device knows of itself. */
export interface Endpoint {
  readonly exists: (path: string) => boolean;
  readonly isDirectory: (path: string) => boolean;
  /** Cordon's own program, executor and wrapper: never writable from inside a run. */
  readonly installation: readonly string[];
}

export interface HostGrants {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly hidden: readonly string[];
  readonly readOnly: readonly string[];
  /** Granted, but not there. */
  readonly missing: readonly string[];
  /** Hidden or read-only, but not there yet: whoever makes it during the run makes it unguarded, if the sandbox guards what is there. */
  readonly unguarded: { readonly hidden: readonly string[]; readonly readOnly: readonly string[] };
}

/** @param named the sandbox's rules are about names, so they hold for what is not there yet */
export const onHost = (grants: Grants, { exists, installation }: Endpoint, os: OperatingSystem, named = false): HostGrants => {
  const there = named ? () => true : exists;
  const guarded = new Places(installation, os);
  const isOurs = (path: string): boolean => guarded.covering(path) !== undefined;
  const hidden = grants.hidden.filter(there);
  const write = grants.write.filter((path) => there(path) && !isOurs(path));
  const isIn = (path: string, places: readonly string[]): boolean => places.some((place) => isWithin(path, place, os));
  const ours = installation.filter((place) => !isIn(place, hidden) && isIn(place, write));
  const absent = (paths: readonly string[]): string[] => paths.filter((path) => !exists(path));
  return {
    read: [...grants.read, ...grants.write.filter(isOurs)].filter(there).sort(),
    write: [...write].sort(),
    hidden: [...hidden].sort(),
    readOnly: outermost([...grants.readOnly, ...ours].filter(there), os).sort(),
    missing: named ? [] : absent([...grants.read, ...grants.write]),
    unguarded: { hidden: absent(grants.hidden), readOnly: absent(grants.readOnly) },
  };
};

/**
 * Folders between a writable grant and a place in it that is guarded: whoever may rename one of them moves the place out of its guard. From below upwards.
 * @param writable each writable place kept for itself
 */
export const foldersAbove = (path: string, writable: Places, os: OperatingSystem): string[] => {
  const grant = writable.covering(path, true);
  if (grant === undefined) return [];
  const top = folded(grant, os);
  const between: string[] = [];
  lookUpwards(path, os, (place) => {
    if (folded(place, os) === top) return true;
    if (place !== path) between.push(place);
    return undefined;
  });
  return between;
};

export interface Whole {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly readOnly: readonly string[];
  /** Grants that are not given, since they hold something hidden. */
  readonly dropped: readonly string[];
  /** Hidden places that no grant holds: the sandbox itself shows them. */
  readonly shown: readonly string[];
}

/** Grants without those that hold a hidden place, for a sandbox that cannot hide a part of what it shows. */
export const withoutHolders = (grants: HostGrants, os: OperatingSystem): Whole => {
  const hidden = [...grants.hidden, ...grants.unguarded.hidden];
  const granted = new Places([...grants.read, ...grants.write], os);
  const holding = new Set<string>();
  for (const path of hidden) for (let at = granted.covering(path, true); at !== undefined; at = granted.covering(at, true)) holding.add(at);
  const whole = (paths: readonly string[]): string[] => paths.filter((path) => !holding.has(path));
  const write = whole(grants.write);
  const writable = new Places(write, os);
  return {
    read: whole(grants.read),
    write,
    // Without the grant around it, a protected place would be a grant of its own, with what is hidden in it.
    readOnly: grants.readOnly.filter((path) => writable.covering(path, true) !== undefined),
    dropped: [...holding].sort(),
    shown: hidden.filter((path) => granted.covering(path, true) === undefined),
  };
};
