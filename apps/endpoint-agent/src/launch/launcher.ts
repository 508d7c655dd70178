/** One contained run: from a plan to a workload that starts only after the gate, and that has ended only when the sandbox's init is gone. */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CordonError } from '@cordon/policy/errors.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import type { Egress } from '../egress/egress.ts';
import { startBridge, stopBridge } from './bridge.ts';
import { privateDescriptor } from './descriptors.ts';
import { attest, endProcess, isAlive, startTimeOf, type Attestation } from './gate.ts';
import type { Helpers } from './helpers.ts';
import { createPipes, drained, inputOf, type Outputs, type Pipes } from './pipes.ts';
import { preflight } from './preflight.ts';
import { setupError } from './setup-error.ts';
import { runEnvironment, startScript } from './start-script.ts';

export interface LaunchRequest {
  /** Id of the run. */
  readonly run: string;
  readonly plan: LaunchPlan;
  readonly argv: readonly string[];
  /** Values of the caller's variables that the policy passes on. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly name: string; readonly home: string };
}

export interface RunEnd {
  readonly reason: 'exited' | 'killed' | 'timeout' | 'setup-failed';
  readonly exitCode: number;
}

export interface Run {
  readonly run: string;
  readonly attestation: Attestation;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly ended: Promise<RunEnd>;
  kill(reason: 'killed' | 'timeout'): void;
}

export interface LauncherOptions {
  /** A folder that only the daemon can enter; short, since sockets lie in it. */
  readonly runtimeDir: string;
  readonly helpers: Helpers;
  readonly egress: Pick<Egress, 'open' | 'close'>;
}

export interface Launcher {
  /** @throws CordonError `launch.*`; nothing of the workload has run then */
  launch(request: LaunchRequest): Promise<Run>;
}

interface Held {
  readonly child: ChildProcess;
  readonly outputs: Outputs;
  /** The sandbox's init. */
  readonly info: Promise<number>;
  readonly gate: Writable;
}

const START_MS = 20_000;

/** Why a set-up failed by itself: what it said on its standard error is all that there is to know. */
const failure = async ({ stderr }: Outputs): Promise<CordonError> => {
  const [said] = await Promise.all([text(stderr), drained(stderr)]);
  return setupError(said);
};

/** Starts the executor: descriptors 4 request, 5 filter, 6 info, 7 gate, 8 start script (see wrapper.ts). */
const startHeld = (
  { runtimeDir, helpers }: LauncherOptions,
  pipes: Pipes,
  request: LaunchRequest,
  plan: LaunchPlan,
  script: string,
): Held => {
  const root = process.getuid?.() === 0;
  const owner = root ? request.user : undefined;
  const given: number[] = [];
  const keep = (fd: number): number => {
    given.push(fd);
    return fd;
  };
  let child: ChildProcess;
  let outputs: Outputs;
  try {
    const config = keep(privateDescriptor(runtimeDir, `${request.run}.request`, JSON.stringify(plan.request), owner));
    const filter = keep(fs.openSync(helpers.filter, 'r'));
    const start = keep(privateDescriptor(runtimeDir, `${request.run}.start`, script, owner));
    outputs = pipes.open(owner);
    const [stdout, stderr] = outputs.inside.map(keep);
    child = spawn(helpers.executor, ['--config', '/dev/fd/4'], {
      ...(root && { uid: request.user.uid, gid: request.user.gid }),
      cwd: '/',
      detached: true,
      env: { PATH: helpers.path },
      stdio: ['ignore', stdout, stderr, 'ignore', config, filter, 'pipe', 'pipe', start],
    });
  } finally {
    for (const fd of given) fs.closeSync(fd);
  }
  const others: readonly (Readable | Writable | null | undefined)[] = child.stdio;
  const infoStream = others[6];
  const gate = others[7];
  if (!(infoStream instanceof Readable) || !(gate instanceof Writable)) throw new CordonError('launch.setup-failed', 'the run has no gate');
  let late: NodeJS.Timeout | undefined;
  const info = new Promise<number>((resolve, reject) => {
    let told = '';
    late = setTimeout(() => reject(new CordonError('launch.setup-failed', 'the sandbox was not set up in time')), START_MS);
    child.once('error', (cause) =>
      reject(new CordonError('launch.executor-missing', `the executor could not be started: ${cause.message}`, { cause })),
    );
    child.once('exit', () => void failure(outputs).then(reject, reject));
    infoStream.on('data', (chunk: Buffer) => {
      told += chunk.toString('latin1');
      const pid = /"child-pid":\s*(\d+)/.exec(told)?.[1];
      if (pid === undefined || !told.includes('}')) return;
      child.removeAllListeners('exit');
      resolve(Number(pid));
    });
  }).finally(() => clearTimeout(late));
  gate.on('error', () => gate.destroy());
  return { child, outputs, info, gate };
};

/** Ends whatever there is of a launch that is given up. */
const abandon = (
  { child, outputs, gate }: Held,
  init: { readonly pid: number; readonly startTime: string | undefined } | undefined,
): void => {
  for (const stream of [gate, outputs.stdout, outputs.stderr]) stream.destroy();
  if (init?.startTime !== undefined) endProcess(init.pid, init.startTime);
  const running = child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  if (running) process.kill(-child.pid, 'SIGKILL');
};

/** The run after its gate opened: streams, time limit, and an end that is the end of its init. */
const follow = (held: Held, stdin: Run['stdin'], request: LaunchRequest, attestation: Attestation, release: () => Promise<void>): Run => {
  const { child } = held;
  const { stdout, stderr } = held.outputs;
  let reason: RunEnd['reason'] = 'exited';
  let over = false;
  const end = (why: 'killed' | 'timeout'): void => {
    // Killed after its end: nobody wants what it has left to say.
    if (over) return [stdout, stderr].forEach((stream) => void stream.destroy());
    if (reason === 'exited') reason = why;
    endProcess(attestation.pid, attestation.startTime);
  };
  const { timeoutMs } = request.plan.limits;
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => end('timeout'), Math.min(timeoutMs, 2 ** 31 - 1));
  const exited = new Promise<number>((resolve) => {
    const code = (exitCode: number | null): void => resolve(exitCode ?? 137);
    if (child.exitCode !== null || child.signalCode !== null) code(child.exitCode);
    else child.once('exit', code);
  });
  const ended = exited.then(async (exitCode): Promise<RunEnd> => {
    clearTimeout(timer);
    // The executor's word is not the end: whatever is left of the sandbox goes with its init.
    endProcess(attestation.pid, attestation.startTime);
    over = true;
    stdin.destroy();
    await release();
    await Promise.all([stdout, stderr].map(drained));
    return { reason, exitCode: reason === 'exited' ? exitCode : reason === 'timeout' ? 124 : 137 };
  });
  return { run: request.run, attestation, stdin, stdout, stderr, ended, kill: end };
};

export const createLauncher = (options: LauncherOptions): Launcher => {
  const pipes = createPipes(options.runtimeDir, options.helpers.mkfifo);
  const launch = async (request: LaunchRequest): Promise<Run> => {
    const { user, run, plan } = request;
    const root = process.getuid?.() === 0;
    if (user.uid === 0)
      throw new CordonError(
        'launch.root',
        'a workload never runs as root: root inside a sandbox undoes its rules. Run as an ordinary account',
      );
    if (plan.unmet.length > 0)
      throw new CordonError(
        'launch.required-unmet',
        `the policy requires what this device cannot enforce: ${plan.unmet.map((c) => `${c.control} (${c.why})`).join('; ')}`,
      );
    const { readonlyPaths, readwritePaths, deniedPaths } = plan.request.filesystem;
    const identities = preflight([...readonlyPaths, ...readwritePaths]);
    const { socket } = await options.egress.open(run, plan.egress, user);
    const release = (): Promise<void> => options.egress.close(run);
    // Without root the socket is bound into the sandbox, and socat inside makes it the proxy address.
    const extra = root ? [] : [path.dirname(socket)];
    const full: LaunchPlan = {
      ...plan,
      request: { ...plan.request, filesystem: { ...plan.request.filesystem, readonlyPaths: [...readonlyPaths, ...extra] } },
    };
    const script = startScript({
      cwd: request.cwd,
      environment: runEnvironment(user, request.env),
      argv: request.argv,
      ...(!root && { bridge: { socat: options.helpers.socat, socket } }),
    });
    let held: Held | undefined;
    let init: { pid: number; startTime: string | undefined } | undefined;
    let bridge: ChildProcess | undefined;
    try {
      held = startHeld(options, pipes, request, full, script);
      const pid = await held.info;
      init = { pid, startTime: startTimeOf(pid) };
      const planned = { readonly: full.request.filesystem.readonlyPaths, readwrite: readwritePaths, denied: deniedPaths };
      const [attested, bridged] = await Promise.allSettled([
        attest(pid, planned, identities, user.uid),
        root ? startBridge(options.helpers, pid, socket, user) : undefined,
      ]);
      if (bridged.status === 'fulfilled') bridge = bridged.value;
      // bubblewrap names its init before it mounts anything: a set-up that fails later ends that init.
      if (attested.status === 'rejected')
        throw init.startTime !== undefined && isAlive(pid, init.startTime) ? attested.reason : await failure(held.outputs);
      if (bridged.status === 'rejected') throw bridged.reason;
      const result = follow(held, inputOf(pid), request, attested.value, async () => {
        if (bridge !== undefined) stopBridge(bridge);
        await release();
      });
      held.outputs.stderr.read(); // what the set-up said is not the workload's
      held.gate.end('1');
      return result;
    } catch (error) {
      if (held !== undefined) abandon(held, init);
      if (bridge !== undefined) stopBridge(bridge);
      await release();
      throw error;
    }
  };
  return { launch };
};
