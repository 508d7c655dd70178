/** What the kernel allows: namespaces for ordinary accounts, watches, and limits of runs. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import type { Limiter } from '../launch/limiter.ts';
import type { Account } from '../local-api/accounts.ts';
import { failed, ok, warning, type Check } from './check.ts';

/** Fewer are soon used up by an editor alone. */
const WATCHES = 8192;
const INSTANCES = 64;

export interface KernelOptions {
  readonly bubblewrap: string;
  /** Who makes the sandboxes; itself where undefined. */
  readonly account: Account | undefined;
  readonly limiter: Pick<Limiter, 'means' | 'without'>;
  /** Below /proc/sys. */
  readonly setting: (name: string) => string | undefined;
}

export const settingOf = (name: string): string | undefined => {
  try {
    return fs.readFileSync(`/proc/sys/${name}`, 'latin1').trim();
  } catch {
    return undefined; // this kernel has none
  }
};

const whyNot = (setting: KernelOptions['setting']): readonly [detail: string, mend: string] => {
  if (setting('user/max_user_namespaces') === '0') return ['user.max_user_namespaces is 0', 'sysctl -w user.max_user_namespaces=15000'];
  if (setting('kernel/unprivileged_userns_clone') === '0')
    return ['kernel.unprivileged_userns_clone is 0', 'sysctl -w kernel.unprivileged_userns_clone=1'];
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return [
      'AppArmor keeps ordinary accounts from it',
      'give bubblewrap a profile in /etc/apparmor.d that permits userns, or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    ];
  return ['bubblewrap could not make one', 'look at what the system logged of it; in a container, its security profile may forbid it'];
};

/** Made for real, as it is for a run. */
const namespacesCheck = ({ bubblewrap, account, setting }: KernelOptions): Check => {
  const { status, stderr } = spawnSync(bubblewrap, ['--unshare-all', '--ro-bind', '/', '/', '/bin/true'], {
    env: {},
    cwd: '/',
    encoding: 'utf8',
    timeout: 10_000,
    ...(account !== undefined && { uid: account.uid, gid: account.gid }),
  });
  const who = account === undefined ? 'this account' : `account ${account.name}`;
  if (status === 0) return ok('user namespaces', `${who} makes them`);
  const [detail, mend] = whyNot(setting);
  const told = (stderr ?? '').trim().split('\n').at(-1)?.slice(0, 200) ?? '';
  return failed('user namespaces', `${who} makes none: ${detail}${told === '' ? '' : ` (${told})`}`, mend);
};

const watchCheck = (setting: KernelOptions['setting']): Check => {
  const [watches, instances] = ['fs/inotify/max_user_watches', 'fs/inotify/max_user_instances'].map((name) => Number(setting(name) ?? 0));
  const detail = `${watches} watches and ${instances} instances for each account`;
  return (watches ?? 0) >= WATCHES && (instances ?? 0) >= INSTANCES
    ? ok('inotify', detail)
    : warning(
        'inotify',
        `${detail}; a run that uses them up keeps what is watched from being seen`,
        `sysctl -w fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=512`,
      );
};

const BY = { cgroup: 'control group', rlimit: 'limit of each process', none: 'nothing' } as const;

const limitsCheck = ({ means, without }: KernelOptions['limiter']): Check => {
  const detail = `memory by ${BY[means.memory]}, cpu by ${BY[means.cpu]}, processes by ${BY[means.processes]}`;
  if (without === undefined && Object.values(means).every((by) => by === 'cgroup')) return ok('limits of runs', detail);
  return warning(
    'limits of runs',
    `${detail}${without === undefined ? '' : `; ${without}`}`,
    'start the daemon as a service of systemd with Delegate=memory cpu pids, on a system with control groups of version 2',
  );
};

export const kernelChecks = (options: KernelOptions): readonly Check[] => [
  namespacesCheck(options),
  watchCheck(options.setting),
  limitsCheck(options.limiter),
];
