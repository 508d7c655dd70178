/** Ends an agent and all that it has started: asked first, then not asked any more. */
import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { endProcess, isAlive } from '../launch/gate.ts';

interface Numbered {
  readonly pid: number;
  readonly startTime: string;
}

interface Row extends Numbered {
  readonly parent: number;
}

const ASKED_MS = 2000;
const POLL_MS = 50;

/** Every process with its parent (proc_pid_stat(5)). */
const readTable = (): Row[] =>
  fs.readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = fs.readFileSync(`/proc/${name}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ pid: Number(name), parent: Number(fields[1]), startTime: fields[19] ?? '' }];
    } catch {
      return []; // ended since the list was made
    }
  });

/** A process and all below it, without those below any of `spared`. Pure. */
export const treeOf = <R extends { readonly pid: number; readonly parent: number }>(
  table: readonly R[],
  top: number,
  spared: ReadonlySet<number>,
): R[] => {
  const children = new Map<number, R[]>();
  for (const row of table) children.set(row.parent, [...(children.get(row.parent) ?? []), row]);
  const tree: R[] = [];
  const waiting = table.filter(({ pid }) => pid === top);
  for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
    if (spared.has(row.pid)) continue;
    tree.push(row);
    waiting.push(...(children.get(row.pid) ?? []));
  }
  return tree;
};

/** Whether a process is above another one. Pure. */
export const isAbove = (table: readonly { readonly pid: number; readonly parent: number }[], above: number, below: number): boolean => {
  const parents = new Map(table.map(({ pid, parent }) => [pid, parent]));
  const passed = new Set<number>();
  for (let at: number | undefined = below; at !== undefined && !passed.has(at); at = parents.get(at)) {
    if (at === above) return true;
    passed.add(at);
  }
  return false;
};

/** @returns whether it is gone. What this daemon itself was started from is left alone: its end would be the end of what contains everything else. */
export const endAgent = async ({ pid, startTime }: Numbered): Promise<boolean> => {
  const spared = new Set([process.pid]);
  const table = readTable();
  if (pid <= 1 || isAbove(table, pid, process.pid)) return false;
  // What has its number now may be another process.
  const isGone = (): boolean => !isAlive(pid, startTime);
  if (isGone()) return true;
  const tree = treeOf(table, pid, spared);
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    return isGone(); // it went just now, or is another account's
  }
  for (let waited = 0; waited < ASKED_MS && !isGone(); waited += POLL_MS) await wait(POLL_MS);
  const since = isGone() ? [] : treeOf(readTable(), pid, spared);
  for (const one of [...tree, ...since]) endProcess(one.pid, one.startTime);
  for (let waited = 0; waited < ASKED_MS && !isGone(); waited += POLL_MS) await wait(POLL_MS);
  return isGone();
};
