/** A real endpoint for benchmarks: control plane, enrollment and daemon as processes, as the quickstart starts them, with a published policy in force. */
import { spawn, type SpawnOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import { requireEnrollment } from '../apps/endpoint-agent/src/identity/enrollment.ts';
import { privateDescriptor } from '../apps/endpoint-agent/src/launch/descriptors.ts';
import { accountNamed } from '../apps/endpoint-agent/src/local-api/accounts.ts';
import { connectLocal } from '../apps/endpoint-agent/src/local-api/client.ts';
import { KIND, socketFor, type Reply } from '../apps/endpoint-agent/src/local-api/protocol.ts';
import { openPolicyState } from '../apps/endpoint-agent/src/policy-state/open.ts';
import { effectiveFor, planFor } from '../apps/endpoint-agent/src/runs/decide.ts';
import { subjectOf } from '../apps/endpoint-agent/src/runs/subject.ts';
import { createApi, until } from '../infra/quickstart/api.ts';
import { publishApproved } from '../infra/quickstart/approve.ts';
import { policyYaml } from '../infra/quickstart/policy.ts';
import { startControlPlane, startEndpoint, type Endpoint } from '../infra/quickstart/services.ts';
import { createWorld, type World } from '../infra/quickstart/world.ts';

export interface BenchAgent {
  /** A connected caller of the local API, not measured yet. @returns its one run, to be started: milliseconds from the request to `ended` */
  caller(argv: readonly string[]): Promise<() => Promise<number>>;
  /** The same compiled request with `/bin/true`, by the native executor alone, as the same account: no wrapper, no gate, no way out. @returns milliseconds */
  bare(): Promise<number>;
  /** Of its daemon. */
  pid(): number;
  /** Environment in which the `cordon` command reaches this daemon. */
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** @returns milliseconds from the call until the process has ended. @throws when its status is not 0 */
export const timed = async (program: string, args: readonly string[], options: SpawnOptions): Promise<number> => {
  const start = performance.now();
  const child = spawn(program, [...args], options);
  const status = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve));
  const ms = performance.now() - start;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${String(status)}`);
  return ms;
};

const callerOf = async (socket: string, cwd: string, argv: readonly string[]): Promise<() => Promise<number>> => {
  const end = Promise.withResolvers<void>();
  const client = await connectLocal(socket, (kind, payload) => {
    if (kind !== KIND.control) return;
    const reply = JSON.parse(payload.toString('utf8')) as Reply;
    if (reply.type === 'environment') client.send({ op: 'environment', values: {} });
    if (reply.type === 'ended' && reply.exitCode === 0) end.resolve();
    else if (reply.type === 'error' || reply.type === 'ended') end.reject(new Error(`the run did not succeed: ${JSON.stringify(reply)}`));
  });
  client.socket.once('close', () => end.reject(new Error('the daemon closed the connection')));
  return async () => {
    const start = performance.now();
    client.send({ op: 'run', argv, cwd });
    await end.promise;
    const ms = performance.now() - start;
    client.socket.destroy();
    return ms;
  };
};

/** What the daemon compiles for this account and folder, made by the same functions from the same stored state. */
const compiled = async (world: World, { stateDir, runtimeDir }: Endpoint): Promise<LaunchPlan['request']> => {
  const account = accountNamed(world.account.name);
  if (account === undefined) throw new Error(`no account ${world.account.name}`);
  const state = await openPolicyState(stateDir, requireEnrollment(stateDir), () => undefined).load(new Date());
  const subject = subjectOf(['true'], world.workspace, account, undefined);
  const installation = [path.join(import.meta.dirname, '..'), stateDir, runtimeDir].map((place) => fs.realpathSync(place));
  if (state === undefined) throw new Error('the endpoint has no policy');
  return planFor(state, effectiveFor(state, subject, world.workspace, account), world.workspace, { installation }).request;
};

const bareRun = async (world: World, executor: string, request: LaunchPlan['request']): Promise<number> => {
  const { uid, gid } = world.account;
  const owner = process.getuid?.() === 0 ? { uid, gid } : undefined;
  const config = privateDescriptor(world.root, `bare-${randomBytes(6).toString('hex')}`, JSON.stringify(request), owner);
  try {
    return await timed(executor, ['--config', '/dev/stdin'], {
      ...owner,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      stdio: [config, 'ignore', 'ignore'],
    });
  } finally {
    fs.closeSync(config);
  }
};

/** @param command how `cordon` is started, if not from this checkout */
export const startAgent = async (command?: (world: World) => Promise<readonly string[]>): Promise<BenchAgent> => {
  const world = createWorld('bench');
  const stops: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const stop of stops.reverse()) await stop();
    fs.rmSync(world.root, { recursive: true, force: true });
  };
  try {
    const plane = await startControlPlane(world);
    stops.push(() => plane.service.stop());
    const api = createApi(plane.adminUrl, plane.token);
    const group = await api.post<{ id: string }>('/groups', { name: 'bench', membership: 'open' });
    const { token } = await api.post<{ token: string }>('/enrollment-tokens', { name: 'bench', groupId: group.id });
    const policy = await api.post<{ id: string }>('/policies', { yaml: policyYaml(world, [{ host: 'packages.cordon.test', port: 443 }]) });
    await api.post('/assignments', { policyId: policy.id, groupId: group.id, mode: 'include' });
    await publishApproved(plane, api, 'bench');
    const endpoint = await startEndpoint(world, plane.deviceUrl, token, {}, 'bench', await command?.(world));
    stops.push(() => endpoint.service.stop());
    const environment = { PATH: '/usr/bin:/bin', CORDON_AGENT_STATE: endpoint.stateDir, CORDON_AGENT_RUNTIME: endpoint.runtimeDir };
    // The self-test is a launch too: once it is over, the daemon is idle.
    await until('the endpoint has tested itself', 60_000, async () => {
      const { status, stdout } = await endpoint.cordon(['status', '--json']);
      return status === 0 && (JSON.parse(stdout) as { selfTest: object | null }).selfTest !== null ? true : undefined;
    });
    const plan = await compiled(world, endpoint);
    const request = { ...plan, process: { ...plan.process, commandLine: '/bin/true' } };
    const executor = path.join(endpoint.runtimeDir, 'helpers/lxc-exec');
    return {
      caller: (argv) => callerOf(socketFor(endpoint.runtimeDir, world.account.uid), world.workspace, argv),
      bare: () => bareRun(world, executor, request),
      pid: () => endpoint.service.pid() ?? 0,
      environment,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
