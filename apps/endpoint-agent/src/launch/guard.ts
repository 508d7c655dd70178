/**
 * What is looked at as long as a run lives. A mask falls when somebody on the host puts another file in its place, and a socket may appear in a grant: both are seen
 * after the fact, so this detects and ends, it does not prevent. Looking needs no watches of the kernel's, which a run's account could use up.
 */
import fs from 'node:fs';
import { parseMountinfo } from './mounts.ts';
import { socketsWithin } from './sockets.ts';

export interface Finding {
  readonly code: 'run.uncovered' | 'run.socket' | 'run.planted';
  readonly place: string;
}

export interface Guarded {
  readonly pid: number;
  /** Every place where something must be mounted. */
  readonly targets: readonly string[];
  /** Real paths. */
  readonly grants: readonly string[];
  readonly hidden: readonly string[];
}

/** The time for which an uncovered place can be read before its run ends. */
const LOOK_MS = 200;
/** Sockets are looked for at every tenth look. */
const SOCKETS_EVERY = 10;

/** @returns the first place that lost its mount; undefined when all is as planned, or the run is over */
const uncovered = ({ pid, targets }: Pick<Guarded, 'pid' | 'targets'>): string | undefined => {
  let table: string;
  try {
    table = fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  } catch {
    return undefined; // it has ended
  }
  if (table === '') return undefined;
  const there = new Set(parseMountinfo(table).map(({ target }) => target));
  return targets.find((target) => !there.has(target));
};

/**
 * @param onUncovered once; the run must end
 * @param onSocket each socket once
 * @returns what ends it
 */
export const startGuard = (guarded: Guarded, onUncovered: (place: string) => void, onSocket: (place: string) => void): (() => void) => {
  const known = new Set<string>();
  let looks = 0;
  const timer = setInterval(() => {
    const place = uncovered(guarded);
    if (place !== undefined) {
      clearInterval(timer);
      return onUncovered(place);
    }
    looks += 1;
    if (looks % SOCKETS_EVERY !== 0) return;
    for (const socket of socketsWithin(guarded.grants, guarded.hidden)) {
      if (!known.has(socket)) onSocket(socket);
      known.add(socket);
    }
  }, LOOK_MS);
  return () => clearInterval(timer);
};
