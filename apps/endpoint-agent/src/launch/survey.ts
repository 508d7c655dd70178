/**
 * What lies in the folders that a run may write to and acts for whoever reaches or makes it: sockets of the host's programs, and files that those execute without
 * asking. Looked at before a run and after it, as far as a budget reaches, from above downwards. Nothing is opened and no link is followed.
 */
import fs from 'node:fs';
import path from 'node:path';
import { NEVER_WRITE } from '@cordon/policy/builtin.ts';

export interface Survey {
  readonly sockets: ReadonlySet<string>;
  /** Files and folders that programs of the host execute or obey, each with what changes when it does. */
  readonly executed: ReadonlyMap<string, string>;
}

/** Entries of folders. A larger workspace is looked at as far as that goes. */
const MOST = 1000;
const DEEPEST = 5;
const MOST_IN_ONE = 256;
/** Folders that hold very much and nothing that is looked for. */
const SKIPPED = new Set(['node_modules', '.git']);

const WORKSPACE = '${workspace}/';
/** By the first part of their names. */
const TAILS = Map.groupBy(
  NEVER_WRITE.linux.filter((place) => place.startsWith(WORKSPACE)).map((place) => place.slice(WORKSPACE.length)),
  (tail) => tail.split('/')[0] ?? '',
);

/** Not more of one folder than that, however many lie in it. */
const entriesOf = (folder: string, most: number): fs.Dirent[] => {
  const entries: fs.Dirent[] = [];
  try {
    using open = fs.opendirSync(folder, { bufferSize: 128 });
    for (let entry = open.readSync(); entry !== null && entries.length < most; entry = open.readSync()) entries.push(entry);
  } catch {
    return entries; // gone, or not this account's to look into
  }
  return entries;
};

const markOf = (place: string, left = { entries: MOST_IN_ONE }, depth = 0): string => {
  let stat: fs.Stats | undefined;
  try {
    stat = fs.lstatSync(place, { throwIfNoEntry: false });
  } catch {
    return ''; // as if it were not there
  }
  if (stat === undefined) return '';
  if (!stat.isDirectory()) return `${stat.ino}:${stat.size}:${stat.mode}:${stat.ctimeMs}`;
  const inside = entriesOf(place, left.entries);
  left.entries -= inside.length;
  const marks = depth > 2 ? [] : inside.map(({ name }) => `${name}=${markOf(path.join(place, name), left, depth + 1)}`);
  return `${stat.ino}(${marks.sort().join()})`;
};

/**
 * @param folders real paths, none in another
 * @param most entries of folders that are looked at
 */
export const survey = (folders: readonly string[], most = MOST): Survey => {
  const sockets = new Set<string>();
  const executed = new Map<string, string>();
  const waiting = folders.map((folder) => ({ folder, depth: 0 }));
  let left = most;
  for (let at = waiting.shift(); at !== undefined && left > 0; at = waiting.shift()) {
    const { folder, depth } = at;
    for (const entry of entriesOf(folder, Math.min(left, MOST_IN_ONE))) {
      left -= 1;
      const place = path.join(folder, entry.name);
      if (entry.isSocket()) sockets.add(place);
      for (const tail of TAILS.get(entry.name) ?? []) {
        const mark = markOf(path.join(folder, tail));
        if (mark !== '') executed.set(path.join(folder, tail), mark);
      }
      if (entry.isDirectory() && depth < DEEPEST && !SKIPPED.has(entry.name)) waiting.push({ folder: place, depth: depth + 1 });
    }
  }
  return { sockets, executed };
};

/** What a run, or somebody else meanwhile, made or changed. */
export const changesSince = (before: Survey, after: Survey): { readonly sockets: string[]; readonly executed: string[] } => ({
  sockets: [...after.sockets].filter((place) => !before.sockets.has(place)),
  executed: [...after.executed].filter(([place, mark]) => before.executed.get(place) !== mark).map(([place]) => place),
});
