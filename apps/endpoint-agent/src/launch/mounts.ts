/** The mount table of a held sandbox against the plan: pure comparison of what is there with what may be there. */

export interface Mount {
  /** Place inside the sandbox. */
  readonly target: string;
  readonly writable: boolean;
  readonly type: string;
}

/** proc_pid_mountinfo(5); spaces and the like are written as octal escapes. */
export const parseMountinfo = (text: string): Mount[] =>
  text
    .trim()
    .split('\n')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const fields = before.split(' ');
      const target = (fields[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
      return { target, writable: (fields[5] ?? '').split(',').includes('rw'), type: after.split(' ')[0] ?? '' };
    });

/** What the sandbox brings by itself: the baseline of the MXC executor, contract 1.0.0. Each is the host's own folder of that name, but for /etc. */
export const BASELINE: ReadonlySet<string> = new Set([
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/usr/bin',
  '/usr/sbin',
  '/usr/lib',
  '/usr/lib32',
  '/usr/lib64',
  '/usr/libexec',
  '/usr/share',
  '/etc',
]);
/** Each is the host's own device of that name. */
export const DEVICES: ReadonlySet<string> = new Set(['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty']);

/** An empty folder, or a device node that cannot be opened; where /dev lies is a tmpfs in some containers. */
const isMask = (type: string): boolean => type === 'tmpfs' || type === 'devtmpfs';

export interface Planned {
  readonly readonly: readonly string[];
  readonly readwrite: readonly string[];
  readonly denied: readonly string[];
  /** Files of /proc that must be masked. */
  readonly hostFacts: readonly string[];
  /** Folders of the machine's /etc that are shown as they are. */
  readonly shared: readonly string[];
}

/**
 * @returns what is wrong, one line each; empty when the table is the plan: nothing more, nothing less, nothing writable that should not be
 */
export const compareMounts = (mounts: readonly Mount[], plan: Planned): string[] => {
  const top = new Map(mounts.map((mount) => [mount.target, mount]));
  const wrong: string[] = [];
  for (const mount of top.values()) {
    const { target, writable, type } = mount;
    if (target === '/') {
      if (writable || type !== 'tmpfs') wrong.push('/ is not a read-only tmpfs');
    } else if (plan.denied.includes(target)) {
      if (!isMask(type)) wrong.push(`${target} is denied but not masked`);
      else if (writable) wrong.push(`the mask over ${target} is writable`);
    } else if (plan.readwrite.includes(target)) continue;
    else if (plan.readonly.includes(target) || plan.shared.includes(target) || BASELINE.has(target)) {
      if (writable) wrong.push(`${target} is writable`);
    } else if (target === '/dev') {
      if (writable || type !== 'tmpfs') wrong.push('/dev is not a read-only tmpfs');
    } else if (target === '/tmp' || target === '/dev/shm') {
      if (type !== 'tmpfs') wrong.push(`${target} is not private`);
    } else if (target === '/proc') {
      if (type !== 'proc') wrong.push('/proc is not a proc of its own');
    } else if (target === '/dev/pts') {
      if (type !== 'devpts') wrong.push('/dev/pts is not a devpts of its own');
    } else if (plan.hostFacts.includes(target)) {
      if (writable || !isMask(type)) wrong.push(`${target} is not masked`);
    } else if (!DEVICES.has(target)) wrong.push(`${target} is mounted, but not planned`);
  }
  for (const target of [...plan.readonly, ...plan.readwrite, ...plan.denied, ...plan.hostFacts])
    if (!top.has(target)) wrong.push(`${target} is planned, but not mounted`);
  return wrong;
};
