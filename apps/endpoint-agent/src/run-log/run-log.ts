/**
 * A file for each run, in a folder for each account: the newest of an account are kept, and so much of each. Repetitions are counted. It is a memory for people: what
 * cannot be written is left out, and no run waits for it.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import { MOST_BYTES, MOST_ENTRIES, MOST_RUNS } from './limits.ts';
import { entryOf, type Given, type Refused, type RunEntry, type RunEvent } from './entry.ts';

export interface RunLog {
  begin(entry: Given | Refused): void;
  /** An event of a run that began here; others are none of this log's. */
  heard(event: NewEvent): void;
  /** Newest first. @param uid whose; undefined: everybody's */
  list(uid: number | undefined, most: number): RunEntry[][];
  /** @returns undefined when there is none of this account */
  read(run: string, uid: number | undefined): RunEntry[] | undefined;
  /** @returns what ends it */
  subscribe(run: string, listener: (entry: RunEntry) => void): () => void;
}

interface Open {
  readonly file: string;
  entries: number;
  bytes: number;
  /** Not written for want of room. */
  more: number;
  readonly repeated: Map<string, { readonly event: RunEvent; count: number; told: number }>;
}

const placeAt = (file: string): Open => ({ file, entries: 0, bytes: 0, more: 0, repeated: new Map() });
const linesOf = (file: string): string[] => {
  try {
    return fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
  } catch {
    return []; // removed meanwhile for a newer one
  }
};
const entriesOf = (file: string): RunEntry[] => linesOf(file).flatMap((line) => entryOf(line) ?? []);
const namesIn = (folder: string): string[] => {
  try {
    return fs.readdirSync(folder).sort();
  } catch {
    return []; // nothing was ever written there
  }
};

/** @param folder only the daemon's account may enter it */
export const openRunLog = (folder: string, now: () => Date): RunLog => {
  const open = new Map<string, Open>();
  const listeners = new Map<string, Set<(entry: RunEntry) => void>>();
  const filesOf = (uid: number | undefined): string[] =>
    (uid === undefined ? namesIn(folder) : [`${uid}`]).flatMap((account) =>
      namesIn(path.join(folder, account)).map((name) => path.join(folder, account, name)),
    );
  const fileOf = (run: string, uid: number | undefined): string | undefined =>
    filesOf(uid).findLast((file) => file.endsWith(`.${run}.jsonl`));

  const write = (place: Open, entry: RunEntry): void => {
    const line = `${JSON.stringify(entry)}\n`;
    try {
      fs.appendFileSync(place.file, line, { mode: 0o600 });
    } catch {
      place.more += 1; // a full disk: said at the end, if there is room by then
      return;
    }
    place.entries += 1;
    place.bytes += line.length;
    if ('run' in entry) for (const listener of listeners.get(entry.run) ?? []) listener(entry);
  };
  const writeIfRoom = (place: Open, entry: RunEntry): void => {
    if (place.entries < MOST_ENTRIES && place.bytes < MOST_BYTES) write(place, entry);
    else place.more += 1;
  };
  /** The first, the second, the fourth, and so on of what is the same but for its time. */
  const count = (place: Open, event: RunEvent): void => {
    const { at: _, ...same } = event;
    const key = JSON.stringify(same);
    const seen = place.repeated.get(key) ?? { event, count: 0, told: 0 };
    seen.count += 1;
    if (place.repeated.has(key) || place.repeated.size < MOST_ENTRIES) place.repeated.set(key, seen);
    if (Number.isInteger(Math.log2(seen.count))) {
      seen.told = seen.count;
      writeIfRoom(place, seen.count === 1 ? event : { ...event, count: seen.count });
    }
  };
  const close = (place: Open, at: string): void => {
    for (const { event, count: times, told } of place.repeated.values())
      if (times > told && told > 0) writeIfRoom(place, { ...event, at, count: times });
    if (place.more > 0) write(place, { kind: 'more', at, count: place.more });
  };

  return {
    begin: (entry) => {
      if (open.has(entry.run)) return;
      const account = path.join(folder, `${entry.uid}`);
      try {
        fs.mkdirSync(account, { recursive: true, mode: 0o700 });
        for (const name of namesIn(account).slice(0, -(MOST_RUNS - 1))) fs.rmSync(path.join(account, name), { force: true });
      } catch {
        return; // a full or read-only disk
      }
      const name = `${String(now().getTime()).padStart(14, '0')}.${entry.run}.jsonl`;
      const place = placeAt(path.join(account, name));
      open.set(entry.run, place);
      write(place, entry);
      place.bytes = 0;
    },
    heard: (event) => {
      if (!('run' in event)) return;
      const entry: RunEvent = { ...event, at: now().toISOString() };
      const known = open.get(event.run);
      // One that an earlier daemon began, and did not see end.
      const file = known === undefined && event.kind === 'run.ended' ? fileOf(event.run, undefined) : undefined;
      const place = known ?? (file === undefined ? undefined : placeAt(file));
      if (place === undefined) return;
      if (event.kind === 'egress' || event.kind === 'file' || event.kind === 'audit') return count(place, entry);
      if (event.kind === 'launch.refused') open.delete(event.run);
      if (event.kind !== 'run.ended') return writeIfRoom(place, entry);
      close(place, entry.at);
      write(place, entry);
      open.delete(event.run);
    },
    list: (uid, most) =>
      filesOf(uid)
        .sort((a, b) => (path.basename(a) < path.basename(b) ? 1 : -1))
        .slice(0, most)
        .map(entriesOf),
    read: (run, uid) => {
      const file = fileOf(run, uid);
      return file === undefined ? undefined : entriesOf(file);
    },
    subscribe: (run, listener) => {
      const all = listeners.get(run) ?? new Set();
      listeners.set(run, all.add(listener));
      return () => {
        all.delete(listener);
        if (all.size === 0) listeners.delete(run);
      };
    },
  };
};
