/** Starts what an installation consists of: the control plane, this machine's enrollment, and the daemon. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import fs from 'node:fs';
import path from 'node:path';
import { until } from './api.ts';
import { supervise, tail, type Service } from './supervise.ts';
import { freePort } from '../free-port.ts';
import type { World } from './world.ts';

const repository = path.join(import.meta.dirname, '../..');
const program = (file: string): string[] => [process.execPath, '--disable-warning=ExperimentalWarning', path.join(repository, file)];
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ControlPlane {
  readonly service: Service;
  readonly adminUrl: string;
  readonly deviceUrl: string;
  readonly token: () => string;
  readonly log: string;
  /** The approver's key of this throw-away organisation, as a person would keep it. */
  readonly approverKey: string;
  /** Runs `cordonctl …` as an administrator of this control plane, and again while it is on its way back. */
  cordonctl(args: readonly string[]): Promise<Outcome>;
}

/** @param onStart told of the service before it is ready: whoever stops everything meanwhile stops it too */
export const startControlPlane = async (world: World, onStart: (service: Service) => void = () => undefined): Promise<ControlPlane> => {
  const state = path.join(world.root, 'control-plane');
  const log = path.join(world.root, 'control-plane.log');
  const adminPort = await freePort(7400);
  const devicePort = await freePort(adminPort + 1);
  const env = {
    PATH,
    CORDON_STATE: state,
    CORDON_ADMIN_PORT: String(adminPort),
    CORDON_DEVICE_PORT: String(devicePort),
    NODE_COMPILE_CACHE: path.join(repository, '.cache/compile'),
  };
  const service = supervise('control plane', program('apps/control-plane/src/main.ts'), env, log);
  onStart(service);
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  try {
    await until('the control plane is ready', 60_000, async () => ((await fetch(`${adminUrl}/readyz`)).ok ? true : undefined));
  } catch (error) {
    await service.stop();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\nThe control plane said:\n${tail(log)}`, { cause: error });
  }
  const tokenFile = path.join(state, 'admin-token');
  const ctl = { PATH, CORDON_SERVER: adminUrl, CORDON_TOKEN_FILE: tokenFile, NODE_COMPILE_CACHE: env.NODE_COMPILE_CACHE };
  return {
    service,
    adminUrl,
    deviceUrl: `http://127.0.0.1:${devicePort}`,
    token: () => fs.readFileSync(tokenFile, 'utf8').trim(),
    log,
    approverKey: path.join(state, 'signer/approver.key'),
    cordonctl: (args) => whenBack(() => runProgram([...program('apps/cordonctl/src/main.ts'), ...args], '/', ctl)),
  };
};

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface CallOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Endpoint {
  readonly service: Service;
  readonly log: string;
  /** Where its daemon keeps its state, and where its sockets are. */
  readonly stateDir: string;
  readonly runtimeDir: string;
  /** How the `cordon` command is started, and in which environment. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Runs `cordon …` as an administrator of this machine would, and gives back what it printed. This process goes on meanwhile. */
  cordon(args: readonly string[], options?: CallOptions): Promise<Outcome>;
}

/** @returns what it printed. This process goes on meanwhile */
const runProgram = async (
  [node = '', ...args]: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Outcome> => {
  const child = spawn(node, args, { cwd, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 240_000 });
  const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { status, stdout, stderr };
};

/** Runs a command, and again while a control plane that was ended is on its way back. */
const whenBack = async (call: () => Promise<Outcome>): Promise<Outcome> => {
  for (const end = Date.now() + 30_000; ;) {
    const outcome = await call();
    if (!/\[server\.unreachable\]/.test(outcome.stderr) || Date.now() > end) return outcome;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
};

/** @param token goes into a file that only this user can read, never into argv. @param command how `cordon` is started: this checkout's own, or a packed one */
export const startEndpoint = async (
  world: World,
  deviceUrl: string,
  token: string,
  hosts: Readonly<Record<string, string>>,
  canary: string,
  command: readonly string[] = program('apps/endpoint-agent/src/main.ts'),
): Promise<Endpoint> => {
  const runtime = fs.mkdtempSync('/tmp/cordon-');
  fs.chmodSync(runtime, 0o755);
  const hostsFile = path.join(world.root, 'hosts.json');
  fs.writeFileSync(hostsFile, JSON.stringify(hosts));
  const env = {
    PATH,
    CORDON_AGENT_STATE: path.join(world.root, 'endpoint'),
    CORDON_AGENT_RUNTIME: runtime,
    CORDON_AGENT_USERS: world.account.name,
    CORDON_AGENT_HOSTS_FILE: hostsFile,
    CORDON_CANARY: canary,
    HOME: process.env['HOME'] ?? '/',
    NODE_COMPILE_CACHE: path.join(repository, '.cache/compile'),
  };
  const cordon: Endpoint['cordon'] = (args, options = {}) =>
    runProgram([...command, ...args], options.cwd ?? world.workspace, { ...env, ...options.env });
  const tokenFile = path.join(world.root, 'enrollment-token');
  fs.writeFileSync(tokenFile, token, { mode: 0o600 });
  const enrolled = await whenBack(() => cordon(['enroll', '--server', deviceUrl, '--token-file', tokenFile]));
  fs.rmSync(tokenFile);
  if (enrolled.status !== 0) throw new Error(`cordon enroll ended with ${String(enrolled.status)}: ${enrolled.stderr}${enrolled.stdout}`);
  const log = path.join(world.root, 'endpoint.log');
  const service = supervise('daemon', [...command, 'daemon'], env, log);
  const stop = service.stop;
  return {
    service: {
      ...service,
      stop: async () => {
        await stop();
        fs.rmSync(runtime, { recursive: true, force: true });
      },
    },
    log,
    stateDir: env.CORDON_AGENT_STATE,
    runtimeDir: runtime,
    command,
    env,
    cordon,
  };
};
