/** What a launch needs beside the system's programs, put where the launched account can execute it and (for a root daemon) cannot change it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { seccompFilter } from './seccomp.ts';
import { wrapperScript } from './wrapper.ts';

const TMP_BYTES = 1024 ** 3;
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

/** A program of the system, owned by root and not writable by others. */
const systemProgram = (folders: readonly string[], name: string, code: string, packageName: string): string => {
  for (const folder of folders) {
    const file = path.join(folder, name);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (stat.uid !== 0 || (stat.mode & 0o022) !== 0)
      throw new CordonError('launch.helper-unsafe', `${file} is not owned by root alone; repair its owner and mode`, { place: file });
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
  const own = fs.statSync(copy, { throwIfNoEntry: false });
  const origin = fs.statSync(executor, { throwIfNoEntry: false });
  if (origin === undefined)
    throw new CordonError('launch.executor-missing', `the MXC executor is not at ${executor}: install the packages again`, {
      place: executor,
    });
  if (own?.size !== origin.size || own.mtimeMs < origin.mtimeMs) replace(copy, fs.readFileSync(executor), 0o755);
  replace(
    path.join(folder, 'bwrap'),
    wrapperScript({
      bubblewrap: [...unblocking(env), bubblewrap],
      version: versionOf(bubblewrap),
      tmpBytes: TMP_BYTES,
      seated: process.getuid?.() === 0,
    }),
    0o755,
  );
  replace(path.join(folder, 'filter'), seccompFilter(architecture), 0o644);
  return {
    folder,
    executor: copy,
    filter: path.join(folder, 'filter'),
    socat,
    nsenter,
    setpriv,
    bubblewrap,
    mkfifo,
    stty,
    path: `${folder}:/usr/bin:/bin`,
  };
};
