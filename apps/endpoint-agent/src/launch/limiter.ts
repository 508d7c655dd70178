/** How this machine limits what a run uses: by control groups where they can truly be had, else by limits that each process carries. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import type { ResourceMeans } from '@cordon/policy/compile/bubblewrap-controls.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Limits } from '@cordon/policy/launch-plan.ts';
import { controllersOf, openGroups, ownGroup, type Group, type Groups } from './cgroup.ts';

/** What a start script sets for itself and all that it starts. */
export interface CarriedLimits {
  readonly dataBytes?: number;
  readonly processes?: number;
}

export interface Limiter {
  readonly means: ResourceMeans;
  /** Why it is not control groups, in words for people. */
  readonly without: string | undefined;
  /** @returns undefined when no limit of this run needs a group. @throws CordonError `launch.limits` */
  group(run: string, limits: Limits, within?: Group): Group | undefined;
  /**
   * Puts a run that lives under other limits.
   * @param has what it was started with
   * @returns false when it cannot be: what its processes carry cannot be made less, nor can a run get into a group afterwards
   */
  renew(group: Group | undefined, has: Limits, limits: Limits): boolean;
  carried(limits: Limits): CarriedLimits;
  close(): void;
}

/** From here on the kernel counts an account's processes in each user namespace by themselves, and so for each run. */
const COUNTS_BY_NAMESPACE = [5, 14] as const;

const countsByNamespace = (release: string): boolean => {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  return major > COUNTS_BY_NAMESPACE[0] || (major === COUNTS_BY_NAMESPACE[0] && minor >= COUNTS_BY_NAMESPACE[1]);
};

const RESOURCES = [
  ['memory', 'memoryBytes'],
  ['cpu', 'cpus'],
  ['processes', 'processes'],
] as const;

const NO_LIMITS: Limits = { timeoutMs: undefined, memoryBytes: undefined, cpus: undefined, processes: undefined };
const PROBED = { ...NO_LIMITS, memoryBytes: 64 * 1024 ** 2, cpus: 1, processes: 0 };

/** Tries it out: a process must get into a group, and where processes are counted the one that is too many must not start. @throws when it is not so */
const probe = async (groups: Groups): Promise<void> => {
  const group = groups.make(`probe-${process.pid}`, PROBED);
  const child = spawn('/bin/sh', ['-c', 'read -r _ || exit 3; (exit 0); exit $?'], {
    env: {},
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  try {
    const ended = once(child, 'exit') as Promise<[number | null]>;
    group.admit(child.pid ?? 0);
    const where = fs.readFileSync(`/proc/${child.pid}/cgroup`, 'latin1');
    child.stdin.end('\n');
    const [status] = await ended;
    if (!where.includes(`/probe-${process.pid}/own`)) throw new Error('a process did not get into its group');
    if (groups.controllers.has('pids') && status === 0) throw new Error('a process too many was started in a group');
  } finally {
    child.kill('SIGKILL');
    group.remove();
  }
};

interface Machine {
  readonly mountinfo: string;
  readonly own: string;
  /** Of the kernel. */
  readonly release: string;
}

const thisMachine = (): Machine => ({
  mountinfo: fs.readFileSync('/proc/self/mountinfo', 'utf8'),
  own: fs.readFileSync('/proc/self/cgroup', 'utf8'),
  release: os.release(),
});

const findGroups = async ({ mountinfo, own }: Machine): Promise<Groups | string> => {
  const base = ownGroup(mountinfo, own);
  if (base === undefined) return 'control groups of version 2 are not mounted';
  try {
    if (controllersOf(base).size === 0) return `the control group ${base} has no controller for memory, cpu or pids`;
    const groups = openGroups(base, process.pid);
    await probe(groups).catch((error: unknown) => {
      groups.close();
      throw error;
    });
    return groups;
  } catch (error) {
    return `the control group ${base} is not this daemon's to use (${error instanceof Error ? error.message : String(error)})`;
  }
};

export const openLimiter = async (machine: Machine = thisMachine()): Promise<Limiter> => {
  const found = await findGroups(machine);
  const groups = typeof found === 'string' ? undefined : found;
  const has = groups?.controllers ?? new Set();
  const means: ResourceMeans = {
    memory: has.has('memory') ? 'cgroup' : 'rlimit',
    cpu: has.has('cpu') ? 'cgroup' : 'none',
    processes: has.has('pids') ? 'cgroup' : countsByNamespace(machine.release) ? 'rlimit' : 'none',
  };
  return {
    means,
    without: typeof found === 'string' ? found : undefined,
    group: (run, limits, within) => {
      const { memoryBytes, cpus, processes } = limits;
      const wanted =
        (memoryBytes !== undefined && means.memory === 'cgroup') ||
        (cpus !== undefined && means.cpu === 'cgroup') ||
        (processes !== undefined && means.processes === 'cgroup');
      if (groups === undefined || (!wanted && within === undefined)) return undefined;
      try {
        return groups.make(run, limits, within);
      } catch (cause) {
        throw new CordonError('launch.limits', "the run's control group could not be made, so its limits would not hold", { cause });
      }
    },
    renew: (group, has, limits) => {
      try {
        group?.set(limits);
      } catch {
        return false; // whoever asks ends the run
      }
      return RESOURCES.every(([resource, limit]) => {
        const isTighter = limits[limit] !== undefined && limits[limit] < (has[limit] ?? Infinity);
        return !isTighter || means[resource] === 'none' || (means[resource] === 'cgroup' && group !== undefined);
      });
    },
    carried: ({ memoryBytes, processes }) => ({
      ...(memoryBytes !== undefined && means.memory === 'rlimit' && { dataBytes: memoryBytes }),
      ...(processes !== undefined && means.processes === 'rlimit' && { processes }),
    }),
    close: () => groups?.close(),
  };
};
