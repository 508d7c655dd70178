/**
 * A cheap look at what containment stands on, every few seconds, so that nobody has to wait a day for a test: the programs that a launch needs, the settings of the
 * kernel, the egress process, and now and then whether bubblewrap still makes a sandbox. What changed is a reason to test at once.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { Helpers } from '../launch/helpers.ts';
import type { Account } from '../local-api/accounts.ts';

export interface Seen {
  /** Of all that was looked at; another one is a reason to test. */
  readonly fingerprint: string;
  /** What is wrong for certain: no canary is needed to know it. */
  readonly problems: readonly string[];
}

export interface Watch {
  look(): Seen;
  /** Whether bubblewrap makes a sandbox for an ordinary account: some milliseconds of a process. */
  probe(): Promise<boolean>;
}

const SETTINGS = [
  '/proc/sys/user/max_user_namespaces',
  '/proc/sys/user/max_net_namespaces',
  '/proc/sys/kernel/unprivileged_userns_clone',
  '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
  '/sys/fs/selinux/enforce',
];
const OTHERS_WRITE = 0o022;
const PROBE_MS = 5000;

const readSetting = (file: string): string => {
  try {
    return fs.readFileSync(file, 'latin1').trim();
  } catch {
    return ''; // this kernel has none
  }
};

/** Stopped, or a zombie: it will not answer. */
const sleepsForGood = (pid: number): boolean => {
  const stat = readSetting(`/proc/${pid}/stat`);
  return ['T', 't', 'Z', 'X', ''].includes(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3));
};

export interface WatchOptions {
  readonly helpers: Helpers;
  readonly egress: { pid(): number | undefined };
  readonly account: Account;
  readonly settings?: readonly string[];
}

export const createWatch = ({ helpers, egress, account, settings = SETTINGS }: WatchOptions): Watch => {
  const mine = process.getuid?.();
  const { bubblewrap, socat, nsenter, setpriv, mkfifo, stty, executor, filter, folder } = helpers;
  const programs = [bubblewrap, socat, nsenter, setpriv, mkfifo, stty];
  const installed = [path.join(folder, 'bwrap'), executor, filter];
  const look = (): Seen => {
    const problems: string[] = [];
    const prints = [...programs, ...installed].map((file) => {
      const stat = fs.statSync(file, { throwIfNoEntry: false });
      if (stat === undefined) problems.push(`${file} is not there any more`);
      else if (stat.uid !== 0 && stat.uid !== mine) problems.push(`${file} belongs to account ${stat.uid}`);
      else if ((stat.mode & OTHERS_WRITE) !== 0) problems.push(`${file} can be written to by others`);
      return stat === undefined ? '' : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mode}:${stat.uid}:${stat.ctimeMs}`;
    });
    const pid = egress.pid();
    if (pid === undefined) problems.push('the egress process does not run');
    else if (sleepsForGood(pid)) problems.push(`the egress process ${pid} is stopped or has ended`);
    return { fingerprint: JSON.stringify([prints, settings.map(readSetting), pid, problems]), problems };
  };
  return {
    look,
    probe: async () => {
      const owner = mine === 0 ? { uid: account.uid, gid: account.gid } : {};
      const child = spawn(bubblewrap, ['--unshare-all', '--ro-bind', '/', '/', '/bin/true'], {
        ...owner,
        env: {},
        cwd: '/',
        stdio: 'ignore',
        timeout: PROBE_MS,
        killSignal: 'SIGKILL',
      });
      const status = await Promise.race([
        once(child, 'exit').then(([code]: (number | null)[]) => code),
        once(child, 'error').then(() => null),
      ]).catch(() => null);
      return status === 0;
    },
  };
};
