/** Control groups, version 2: what a run and everything below it may use together. Files of a folder that the kernel makes; see cgroups(7). */
import fs from 'node:fs';
import path from 'node:path';
import type { Limits } from '@cordon/policy/launch-plan.ts';

const CONTROLLERS = ['memory', 'cpu', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** Microseconds. */
const PERIOD = 100_000;
const LEAST_QUOTA = 1000;
/** The sandbox's init is not the workload's. */
const INIT = 1;

/** What is written where. Unlimited is what the kernel begins with. */
export const settingsOf = (
  { memoryBytes, cpus, processes }: Limits,
  has: ReadonlySet<Controller>,
): readonly (readonly [file: string, value: string])[] => [
  ...(memoryBytes !== undefined && has.has('memory')
    ? ([
        ['memory.max', String(memoryBytes)],
        // What is swapped out is memory too.
        ['memory.swap.max', '0'],
      ] as const)
    : []),
  ...(cpus !== undefined && has.has('cpu')
    ? ([['cpu.max', `${Math.max(LEAST_QUOTA, Math.round(cpus * PERIOD))} ${PERIOD}`]] as const)
    : []),
  ...(processes !== undefined && has.has('pids') ? ([['pids.max', String(processes + INIT)]] as const) : []),
];

/** What the kernel begins with. */
const unlimited = (has: ReadonlySet<Controller>): ReturnType<typeof settingsOf> =>
  (
    [
      ['memory', 'memory.max', 'max'],
      ['memory', 'memory.swap.max', 'max'],
      ['cpu', 'cpu.max', `max ${PERIOD}`],
      ['pids', 'pids.max', 'max'],
    ] as const
  ).flatMap(([controller, file, value]) => (has.has(controller) ? [[file, value] as const] : []));

/**
 * @param mountinfo proc_pid_mountinfo(5)
 * @param own /proc/PID/cgroup
 * @returns the folder of this process's own group; undefined where there is no version 2, or none that reaches it
 */
export const ownGroup = (mountinfo: string, own: string): string | undefined => {
  const inside = /^0::(\/.*)$/m.exec(own)?.[1];
  // A place outside of what this process's namespace shows.
  if (inside === undefined || `${inside}/`.startsWith('/../')) return undefined;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', target = ''] = before.split(' ');
    if (!after.startsWith('cgroup2 ')) continue;
    const below = path.posix.relative(root, inside);
    if (below !== '..' && !below.startsWith('../')) return path.posix.join(target, below);
  }
  return undefined;
};

const read = (folder: string, file: string): string => fs.readFileSync(path.join(folder, file), 'latin1').trim();
const write = (folder: string, file: string, value: string): void => fs.writeFileSync(path.join(folder, file), value);

/** Those of its controllers that limits need. @throws what the file system says */
export const controllersOf = (folder: string): ReadonlySet<Controller> =>
  new Set(CONTROLLERS.filter((name) => read(folder, 'cgroup.controllers').split(' ').includes(name)));

const enable = (folder: string, wanted: Iterable<Controller>): void => {
  for (const name of wanted) write(folder, 'cgroup.subtree_control', `+${name}`);
};

const FREE_MS = 20;
const FREE_TRIES = 250;

/** A group with processes that are just ending is busy for a moment. What stays in spite of all is removed at the next start. */
const remove = (folder: string, tries = FREE_TRIES): void => {
  try {
    if (fs.existsSync(path.join(folder, 'own'))) fs.rmdirSync(path.join(folder, 'own'));
    fs.rmdirSync(folder);
  } catch {
    if (tries > 0 && fs.existsSync(folder)) setTimeout(() => remove(folder, tries - 1), FREE_MS).unref();
  }
};

/** Removes groups without processes, from below. */
const sweep = (folder: string): void => {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) sweep(path.join(folder, entry.name));
  try {
    fs.rmdirSync(folder);
  } catch {
    return; // in use
  }
};

const PREFIX = 'cordon-';

/** Whether a group is one of a daemon that is no more. */
const isLeft = (name: string): boolean => {
  const pid = /^cordon-\w+-(\d+)$/.exec(name)?.[1];
  return pid !== undefined && !fs.existsSync(`/proc/${pid}`);
};

export interface Group {
  readonly folder: string;
  /** Puts a process there, and with it all that it starts from then on. */
  admit(pid: number): void;
  /** Other limits from now on. @throws what the file system says */
  set(limits: Limits): void;
  /** When nothing runs there any more. */
  remove(): void;
}

export interface Groups {
  readonly controllers: ReadonlySet<Controller>;
  /** @param within what that group may use, this one's share is a part of. @throws what the file system says */
  make(name: string, limits: Limits, within?: Group): Group;
  close(): void;
}

/**
 * Makes a place for groups below the own one, and moves this process out of their way: a group that has limits for others has no processes itself.
 * @param base the own group, which must be this process's to change
 * @throws what the file system says where it is not
 */
export const openGroups = (base: string, pid: number): Groups => {
  const controllers = controllersOf(base);
  for (const entry of fs.readdirSync(base)) if (isLeft(entry)) sweep(path.join(base, entry));
  const missing = [...controllers].filter((name) => !read(base, 'cgroup.subtree_control').split(' ').includes(name));
  try {
    enable(base, missing);
  } catch {
    // Only the topmost group may have both; any other gives its processes a group of their own.
    const daemon = path.join(base, `${PREFIX}daemon-${pid}`);
    fs.mkdirSync(daemon);
    write(daemon, 'cgroup.procs', String(pid));
    enable(base, missing);
  }
  const runs = path.join(base, `${PREFIX}runs-${pid}`);
  fs.mkdirSync(runs);
  enable(runs, controllers);
  return {
    controllers,
    make: (name, limits, within) => {
      const folder = path.join(within?.folder ?? runs, name);
      const own = path.join(folder, 'own');
      fs.mkdirSync(folder);
      const set = (settings: ReturnType<typeof settingsOf>): void => {
        for (const [file, value] of settings)
          if (file !== 'memory.swap.max' || fs.existsSync(path.join(folder, file))) write(folder, file, value);
      };
      try {
        enable(folder, controllers);
        set(settingsOf(limits, controllers));
        fs.mkdirSync(own);
      } catch (error) {
        remove(folder, 0);
        throw error;
      }
      return {
        folder,
        admit: (process) => write(own, 'cgroup.procs', String(process)),
        set: (next) => set([...new Map([...unlimited(controllers), ...settingsOf(next, controllers)])]),
        remove: () => remove(folder),
      };
    },
    close: () => sweep(runs),
  };
};
