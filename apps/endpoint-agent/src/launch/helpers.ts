/** What a launch needs beside the system's programs, put where the launched account can execute it and (for a root daemon) cannot change it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { createEtc, type Etc } from './etc.ts';
import { seccompFilter } from './seccomp.ts';
import { HOST_FACTS, wrapperScript } from './wrapper.ts';

const TMP_BYTES = 1024 ** 3;
/** What changed in /etc meanwhile is in the copy no later. */
const RENEW_MS = 60_000;
const SYSTEM_FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

export interface Helpers {
  /** Folder with the wrapper, first in the pinned PATH. */
  readonly folder: string;
  readonly executor: string;
  readonly filter: string;
  readonly socat: string;
  readonly nsenter: string;
  readonly mkfifo: string;
  readonly stty: string;
  readonly setpriv: string;
  readonly bubblewrap: string;
  /** PATH of the executor: the wrapper's folder, then the system's. */
  readonly path: string;
  readonly etc: Etc;
  /** Files of /proc that the wrapper masks. */
  readonly hostFacts: readonly string[];
  /** Before they are used again: that they still are what was installed, and /etc what it is now. @throws CordonError `launch.helper-unsafe`, `launch.helper-missing`, `launch.etc` */
  check(): void;
}

/**
 * MXC's executor starts its programs with the signals HUP, INT and TERM blocked, and who inherits that cannot be ended by a supervisor. `env` of coreutils 8.31
 * unblocks them; one that cannot leaves it as it is.
 */
const unblocking = (env: string): readonly string[] => {
  const command = [env, ...['HUP', 'INT', 'TERM'].map((name) => `--default-signal=${name}`)];
  return spawnSync(env, [...command.slice(1), 'true'], { env: { PATH: '/usr/bin:/bin' }, cwd: '/', stdio: 'ignore' }).status === 0
    ? command
    : [];
};

const versionOf = (bubblewrap: string): string => {
  const said = spawnSync(bubblewrap, ['--version'], { env: {}, cwd: '/', encoding: 'utf8' }).stdout.trim();
  if (/^bubblewrap [0-9.]+$/.test(said)) return said;
  throw new CordonError('launch.bubblewrap-missing', `${bubblewrap} does not tell its version: install the package bubblewrap again`);
};

const unsafe = (place: string, why: string): never => {
  throw new CordonError('launch.helper-unsafe', `${place} ${why}; repair its owner and mode`, { place });
};

const STICKY = 0o1000;

/** Whoever may write to a folder on the way could put something else in place of what lies below. */
const requireSafeAbove = (file: string): void => {
  const mine = process.getuid?.();
  for (let at = path.dirname(file); ; at = path.dirname(at)) {
    const { uid, mode } = fs.statSync(at);
    if (uid !== 0 && uid !== mine) unsafe(at, 'belongs to somebody else');
    // A user's private group, which many systems let write, is that user.
    if ((mode & (mine === 0 ? 0o022 : 0o002)) !== 0 && (mode & STICKY) === 0) unsafe(at, 'can be written to by others');
    if (at === '/') return;
  }
};

/** As named, and as it really lies. */
const requireSystems = (file: string): void => {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new CordonError('launch.helper-missing', `${file} is gone: install its package again`, { place: file, retryable: true });
  const { uid, mode } = stat;
  if (uid !== 0 || (mode & 0o022) !== 0) unsafe(file, 'is not owned by root alone');
  for (const place of new Set([file, fs.realpathSync.native(file)])) requireSafeAbove(place);
};

/** A program of the system, owned by root and not writable by others. */
const systemProgram = (folders: readonly string[], name: string, code: string, packageName: string): string => {
  const file = folders.map((folder) => path.join(folder, name)).find((place) => fs.existsSync(place));
  if (file !== undefined) {
    requireSystems(file);
    return file;
  }
  throw new CordonError(
    code,
    `${name} is missing: agents cannot be contained without it. Install the package ${packageName}, then try again`,
  );
};

/** The native executor that the MXC package brings for this machine. */
export const findExecutor = (): string => {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  // The package's main file lies in dist/: its root is the folder that holds bin/.
  let folder = path.dirname(import.meta.resolve('@microsoft/mxc-sdk').replace('file://', ''));
  while (folder !== '/' && !fs.existsSync(path.join(folder, 'bin', arch))) folder = path.dirname(folder);
  return path.join(folder, 'bin', arch, 'lxc-exec');
};

/** What changes when a file is written to, or replaced. */
const markOf = (file: string): string => {
  const { dev, ino, size, mode, uid, mtimeMs, ctimeMs } = fs.statSync(file);
  return [dev, ino, size, mode, uid, mtimeMs, ctimeMs].join(':');
};

const replace = (file: string, content: string | Buffer, mode: number): void => {
  const next = `${file}.${process.pid}`;
  fs.writeFileSync(next, content, { mode });
  fs.chmodSync(next, mode);
  fs.renameSync(next, file);
};

/**
 * Installs the wrapper, the filter and a copy of the executor into `folder` (root: 0755 and root's own; otherwise the user's own).
 * @throws CordonError `launch.bubblewrap-missing`, `launch.socat-missing`, `launch.nsenter-missing`, `launch.setpriv-missing`, `launch.coreutils-missing`, `launch.executor-missing`, `launch.helper-unsafe`, `launch.platform`
 */
export const installHelpers = (
  folder: string,
  executor: string = findExecutor(),
  systemFolders: readonly string[] = SYSTEM_FOLDERS,
): Helpers => {
  if (process.platform !== 'linux')
    throw new CordonError('launch.platform', `there is no backend for ${process.platform} yet: nothing is launched uncontained`);
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  const bubblewrap = systemProgram(systemFolders, 'bwrap', 'launch.bubblewrap-missing', 'bubblewrap');
  const socat = systemProgram(systemFolders, 'socat', 'launch.socat-missing', 'socat');
  const nsenter = systemProgram(systemFolders, 'nsenter', 'launch.nsenter-missing', 'util-linux');
  const setpriv = systemProgram(systemFolders, 'setpriv', 'launch.setpriv-missing', 'util-linux');
  const mkfifo = systemProgram(systemFolders, 'mkfifo', 'launch.coreutils-missing', 'coreutils');
  const stty = systemProgram(systemFolders, 'stty', 'launch.coreutils-missing', 'coreutils');
  const env = systemProgram(systemFolders, 'env', 'launch.coreutils-missing', 'coreutils');
  fs.mkdirSync(folder, { recursive: true, mode: 0o755 });
  fs.chmodSync(folder, 0o755);
  const copy = path.join(folder, 'lxc-exec');
  if (!fs.existsSync(executor))
    throw new CordonError('launch.executor-missing', `the MXC executor is not at ${executor}: install the packages again`, {
      place: executor,
    });
  const etc = createEtc(path.join(folder, 'etc'));
  const hostFacts = HOST_FACTS.filter((place) => fs.existsSync(place));
  const [wrapper, filter] = [path.join(folder, 'bwrap'), path.join(folder, 'filter')];
  const program = fs.readFileSync(executor);
  if (!fs.existsSync(copy) || !fs.readFileSync(copy).equals(program)) replace(copy, program, 0o755);
  fs.chmodSync(copy, 0o755);
  replace(
    wrapper,
    wrapperScript({
      bubblewrap: [...unblocking(env), bubblewrap],
      version: versionOf(bubblewrap),
      tmpBytes: TMP_BYTES,
      seated: process.getuid?.() === 0,
      etc,
      hostFacts,
    }),
    0o755,
  );
  replace(filter, seccompFilter(architecture), 0o644);
  const installed = [copy, wrapper, filter];
  const marks = new Map(installed.map((file) => [file, markOf(file)]));
  let renewedAt = performance.now();
  const systems = [bubblewrap, socat, nsenter, setpriv, mkfifo, stty, env];
  return {
    folder,
    executor: copy,
    filter,
    socat,
    nsenter,
    setpriv,
    bubblewrap,
    mkfifo,
    stty,
    path: `${folder}:/usr/bin:/bin`,
    etc,
    hostFacts,
    check: () => {
      if (performance.now() - renewedAt > RENEW_MS) {
        renewedAt = performance.now();
        etc.renew();
      }
      for (const file of installed)
        if (!fs.existsSync(file) || markOf(file) !== marks.get(file))
          unsafe(file, 'is not what this daemon installed: start the daemon again');
      for (const file of systems) requireSystems(file);
    },
  };
};
