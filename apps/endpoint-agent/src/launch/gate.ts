/**
 * The gate (design §8): bubblewrap holds the workload, fully set up, until this has compared what is there with the plan. What it saw is the run's attestation;
 * any difference is a reason to kill.
 */
import fs from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';
import { BASELINE, compareMounts, DEVICES, parseMountinfo, type Mount, type Planned } from './mounts.ts';
import { identityOf, type Identity } from './preflight.ts';
import { HARDENING } from './wrapper.ts';

export interface Attestation {
  readonly pid: number;
  /** Start time of the sandbox's init in clock ticks: tells it from a later process with its number. */
  readonly startTime: string;
  readonly uid: number;
  readonly mounts: number;
}

/** Field 22 of proc_pid_stat(5); undefined when the process is gone. */
export const startTimeOf = (pid: number): string | undefined => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
};

/** Whether that very process still lives (a zombie does not). */
export const isAlive = (pid: number, startTime: string): boolean => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[19] === startTime && fields[0] !== 'Z' && fields[0] !== 'X';
  } catch {
    return false;
  }
};

/** Ends that very process. @returns whether it was there to be ended */
export const endProcess = (pid: number, startTime: string): boolean => {
  try {
    return isAlive(pid, startTime) && process.kill(pid, 'SIGKILL');
  } catch {
    return false; // gone since the line before
  }
};

const READY_MS = 10_000;
const NAMESPACES = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'] as const;
/** The end of the only call of bubblewrap that there is: it has taken in the filter when it waits at the gate, and applies it with the exec. */
const CALL = [...HARDENING.split(' '), '--', 'sh', '-c', '. /proc/self/fd/8'].join('\0');

const refuse = (message: string): never => {
  throw new CordonError('launch.gate-refused', `the sandbox is not what was planned, so the workload was not started: ${message}`);
};

const field = (status: string, name: string): string => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? '';

/** bubblewrap tells the pid before it has finished; it is ready when its capabilities are gone and it waits at the gate. */
const whenReady = async (pid: number): Promise<string> => {
  const end = performance.now() + READY_MS;
  for (;;) {
    let status: string;
    try {
      status = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
    } catch {
      return refuse('it ended while it was set up');
    }
    if (/^0+$/.test(field(status, 'CapEff'))) return status;
    if (performance.now() > end) refuse('it was not ready in time');
    await wait(1);
  }
};

export interface Expected {
  readonly plan: Planned;
  /** Of every granted path. */
  readonly identities: ReadonlyMap<string, Identity>;
  readonly uid: number;
  /** Its network namespace, where the daemon has made it. */
  readonly network: string | undefined;
  readonly bubblewrap: string;
  /** What is shown as /etc. */
  readonly etc: string;
}

/** What comes from the host beside the grants: by name and by what it truly is. @returns the first that is something else */
const foreign = (pid: number, mounts: readonly Mount[], { plan, etc }: Expected): string | undefined => {
  const granted = new Set([...plan.readonly, ...plan.readwrite, ...plan.denied]);
  const sourceOf = (target: string): string | undefined => {
    if (granted.has(target)) return undefined;
    if (plan.hostFacts.includes(target)) return '/dev/null';
    if (target === '/etc') return etc;
    return BASELINE.has(target) || DEVICES.has(target) || plan.shared.includes(target) ? target : undefined;
  };
  return mounts
    .map(({ target }) => target)
    .find((target) => {
      const [source, seen] = [sourceOf(target), identityOf(`/proc/${pid}/root${target}`)];
      // What lies below a mask is not to be reached.
      return source !== undefined && seen !== undefined && seen !== identityOf(source);
    });
};

/** @throws CordonError `launch.gate-refused` */
export const attest = async (pid: number, expected: Expected): Promise<Attestation> => {
  const { plan, identities, uid, network, bubblewrap } = expected;
  const status = await whenReady(pid);
  if (identityOf(`/proc/${pid}/exe`) !== identityOf(bubblewrap)) refuse('it is not held by the bubblewrap of this machine');
  if (!fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').endsWith(`\0${CALL}\0`)) refuse('it is not called as it must be');
  for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) if (!/^0+$/.test(field(status, set))) refuse(`${set} is not empty`);
  if (field(status, 'NoNewPrivs') !== '1') refuse('it could gain privileges');
  if (
    field(status, 'Uid')
      .split('\t')
      .some((id) => Number(id) !== uid)
  )
    refuse(`it runs as ${field(status, 'Uid')}, not as ${uid}`);
  for (const name of NAMESPACES)
    if (fs.existsSync(`/proc/self/ns/${name}`) && fs.readlinkSync(`/proc/self/ns/${name}`) === fs.readlinkSync(`/proc/${pid}/ns/${name}`))
      refuse(`it shares the ${name} namespace with the host`);
  if (network !== undefined && fs.readlinkSync(`/proc/${pid}/ns/net`) !== network)
    refuse('it is not in the network namespace of its way out');
  const mounts = parseMountinfo(fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
  const wrong = compareMounts(mounts, plan);
  if (wrong.length > 0) refuse(wrong.slice(0, 4).join('; '));
  const strange = foreign(pid, mounts, expected);
  if (strange !== undefined) refuse(`${strange} is not what this machine has there`);
  for (const [path, identity] of identities)
    if (identityOf(`/proc/${pid}/root${path}`) !== identity) refuse(`${path} is not the file or folder that was checked`);
  for (const path of plan.denied) {
    const original = identityOf(path);
    if (original !== undefined && identityOf(`/proc/${pid}/root${path}`) === original) refuse(`${path} is not hidden`);
  }
  return { pid, startTime: startTimeOf(pid) ?? refuse('it ended at the gate'), uid, mounts: mounts.length };
};
