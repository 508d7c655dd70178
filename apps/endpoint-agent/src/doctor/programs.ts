/** Programs that a launch needs: there, of root alone, and new enough. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { failed, ok, type Check } from './check.ts';
import type { Distribution } from './distribution.ts';

const NODE = 24;
const BUBBLEWRAP: readonly [number, number] = [0, 8];

const NEEDED: readonly (readonly [program: string, packageName: string])[] = [
  ['bwrap', 'bubblewrap'],
  ['socat', 'socat'],
  ['nsenter', 'util-linux'],
  ['setpriv', 'util-linux'],
  ['setsid', 'util-linux'],
  ['stty', 'coreutils'],
  ['mkfifo', 'coreutils'],
  ['env', 'coreutils'],
];

export interface ProgramsOptions {
  readonly distribution: Distribution;
  readonly folders: readonly string[];
  readonly nodeVersion: string;
  /** Where the native executor of MXC should lie. */
  readonly executor: () => string;
  readonly arch: string;
}

const nodeCheck = (version: string): Check => {
  const major = Number.parseInt(version, 10);
  return major >= NODE
    ? ok('node', `version ${version}`)
    : failed('node', `version ${version}, and ${NODE} is needed`, 'start Cordon with the Node that it was installed with');
};

const unsafe = (file: string): string | undefined => {
  const { uid, mode } = fs.statSync(file);
  if (uid !== 0) return `${file} belongs to account ${uid}, not to root`;
  return (mode & 0o022) === 0 ? undefined : `${file} can be written to by others`;
};

interface Version {
  readonly text: string;
  readonly problem?: string;
}

const bubblewrapVersion = (file: string): Version => {
  const said = spawnSync(file, ['--version'], { env: {}, cwd: '/', encoding: 'utf8', timeout: 5000 }).stdout?.trim() ?? '';
  const [, major = 0, minor = 0] = (/^bubblewrap (\d+)\.(\d+)/.exec(said) ?? []).map(Number);
  if (said === '') return { text: said, problem: `${file} does not tell its version` };
  const [least, leastMinor] = BUBBLEWRAP;
  const isOld = major < least || (major === least && minor < leastMinor);
  return { text: said, ...(isOld && { problem: `${said} is too old: ${BUBBLEWRAP.join('.')} is needed` }) };
};

const programCheck = ({ folders, distribution }: ProgramsOptions, program: string, packageName: string): Check => {
  const file = folders.map((folder) => path.join(folder, program)).find((place) => fs.existsSync(place));
  const install = distribution.install(packageName);
  if (file === undefined) return failed(program, `it is not in ${folders.join(', ')}`, install);
  const why = unsafe(file);
  if (why !== undefined) return failed(program, why, `chown root: ${file} && chmod go-w ${file}, or install it again: ${install}`);
  const { text = '', problem } = program === 'bwrap' ? bubblewrapVersion(file) : {};
  return problem === undefined ? ok(program, [file, text].filter((part) => part !== '').join(', ')) : failed(program, problem, install);
};

/** The first bytes of a program of this architecture, elf(5): the machine is at byte 18. */
const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };

const executorCheck = ({ executor, arch }: ProgramsOptions): Check => {
  const again = 'install Cordon again: its packages are not whole';
  const file = executor();
  if (!fs.existsSync(file)) return failed('mxc', `its executor is not at ${file}`, again);
  const head = fs.readFileSync(file).subarray(0, 20);
  if (!head.subarray(0, 4).equals(Buffer.from('\u007fELF', 'latin1')) || head.readUInt16LE(18) !== MACHINES[arch])
    return failed('mxc', `${file} is no program for ${arch}`, again);
  const mode = fs.statSync(file).mode;
  return (mode & 0o002) === 0 ? ok('mxc', file) : failed('mxc', `${file} can be written to by everybody`, `chmod o-w ${file}`);
};

export const programChecks = (options: ProgramsOptions): readonly Check[] => [
  nodeCheck(options.nodeVersion),
  ...NEEDED.map(([program, packageName]) => programCheck(options, program, packageName)),
  executorCheck(options),
];
