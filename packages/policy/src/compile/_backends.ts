/** Every backend on a machine where everything is there, for tests and for the table of docs/enforcement.md. */
import type { BackendCapability, ContainerRequest, IsolationTier } from '@microsoft/mxc-sdk/v1';
import { SYSTEM_READ } from '../builtin.ts';
import type { EffectivePolicy, OperatingSystem } from '../effective.ts';
import type { Compiled } from '../launch-plan.ts';
import { canonicalPath } from '../match/path.ts';
import { compileBubblewrap } from './bubblewrap.ts';
import { compileIsolationSession } from './isolation-session.ts';
import { compileLxc } from './lxc.ts';
import type { Endpoint } from './on-host.ts';
import { compileProcessContainer } from './processcontainer.ts';
import type { WindowsEndpoint } from './processcontainer-network.ts';
import { compileSeatbelt, SEATBELT_BASELINE } from './seatbelt.ts';
import { compileWslc } from './wslc.ts';
import { denyWins, entries, mounts, type Reach } from './_sandbox-model.ts';

export const HOST: Endpoint = { exists: () => true, isDirectory: () => true, installation: [] };
/** A host on which only some places are: those whose name has an even number of letters. */
export const SPARSE: Endpoint = { ...HOST, exists: (path) => path.length % 2 === 0 };

export const START = { command: 'agent --task x', environment: { PATH: '/usr/bin:/bin' } };
const IN_WORKSPACE = {
  posix: { ...START, workingDirectory: '/home/ann/src/app' },
  windows: { ...START, workingDirectory: 'C:\\Users\\ann\\src\\app' },
};
export const PORT = 40_123;
export const ALL_CAPABILITIES: readonly BackendCapability[] = ['filesystemDeniedPaths', 'proxyEnforcement', 'identitylessLoopbackProxy'];

export const windowsEndpoint = (tier: IsolationTier, change: Partial<WindowsEndpoint> = {}): WindowsEndpoint => ({
  ...HOST,
  start: IN_WORKSPACE.windows,
  tier,
  capabilities: ALL_CAPABILITIES,
  proxy: { port: PORT, peer: 'Cordon.Egress' },
  ...change,
});

export interface Backend {
  readonly name: string;
  readonly os: OperatingSystem;
  /** Whether plans of it were run by the tests, or only compiled and checked against the contract. */
  readonly run: boolean;
  compile(effective: EffectivePolicy, host: Endpoint): Compiled<string, unknown>;
  /** What the request lets a run reach. */
  reach(plan: Compiled<string, unknown>): Reach;
  /** Whether a place is the sandbox's own, and nothing of the host. */
  isPrivate(path: string): boolean;
}

const filesystemOf = ({ request }: Compiled<string, unknown>) => (request as ContainerRequest).filesystem ?? {};
const WINDOWS = SYSTEM_READ.windows.map((path) => canonicalPath(path, 'windows'));
const never = (): boolean => false;
const inTmp = (path: string): boolean => path === '/tmp' || path.startsWith('/tmp/');

const processContainer = (name: string, tier: IsolationTier, change: Partial<WindowsEndpoint> = {}): Backend => ({
  name,
  os: 'windows',
  run: false,
  compile: (effective, host) => compileProcessContainer(effective, { ...windowsEndpoint(tier, change), ...host }),
  reach: (plan) => entries(filesystemOf(plan), WINDOWS, 'windows'),
  isPrivate: never,
});

export const BACKENDS: readonly Backend[] = [
  {
    name: 'bubblewrap',
    os: 'linux',
    run: true,
    // Without control groups; with them is a column of its own.
    compile: (effective, host) => compileBubblewrap(effective, { ...host, limits: { memory: 'rlimit', cpu: 'none', processes: 'rlimit' } }),
    reach: (plan) => mounts(filesystemOf(plan), SYSTEM_READ.linux, 'linux'),
    isPrivate: inTmp,
  },
  {
    name: 'lxc',
    os: 'linux',
    run: false,
    compile: (effective, host) =>
      compileLxc(effective, { ...host, start: IN_WORKSPACE.posix, distribution: 'debian', release: 'bookworm' }),
    reach: (plan) => mounts(filesystemOf(plan), [], 'linux'),
    // The container has system folders of its own.
    isPrivate: (path) => inTmp(path) || /^\/(usr|etc|bin|sbin|lib)/.test(path),
  },
  {
    name: 'seatbelt',
    os: 'macos',
    run: false,
    compile: (effective, host) =>
      compileSeatbelt(effective, { ...host, start: IN_WORKSPACE.posix, proxyPort: PORT, asOnDisk: (path) => path }),
    reach: (plan) => denyWins(filesystemOf(plan), SEATBELT_BASELINE, 'macos'),
    isPrivate: never,
  },
  processContainer('processcontainer, base-container', 'base-container'),
  processContainer('processcontainer, base-container without denied paths', 'base-container', { capabilities: ['proxyEnforcement'] }),
  processContainer('processcontainer, appcontainer-bfs', 'appcontainer-bfs'),
  processContainer('processcontainer, appcontainer-dacl', 'appcontainer-dacl'),
  {
    name: 'isolation_session',
    os: 'windows',
    run: false,
    compile: (effective) => compileIsolationSession(effective, { start: IN_WORKSPACE.windows, appId: 'PFN:Cordon_1' }),
    reach: () => () => true,
    isPrivate: never,
  },
  {
    name: 'wslc',
    os: 'windows',
    run: false,
    compile: (effective, host) =>
      compileWslc(effective, { ...host, start: IN_WORKSPACE.windows, image: 'debian:bookworm', imageTarPath: 'C:\\images\\debian.tar' }),
    reach: (plan) => mounts(filesystemOf(plan), [], 'windows'),
    isPrivate: (path) => /^C:\\(Windows|ProgramData\\CordonRuns)/.test(path),
  },
];
