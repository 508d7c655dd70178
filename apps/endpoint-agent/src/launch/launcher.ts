/** One contained run: from a plan to a workload that starts only after the gate, and that has ended only when the sandbox's init is gone. */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { CordonError } from '@cordon/policy/errors.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import type { Egress } from '../egress/egress.ts';
import { startBridge, stopBridge } from './bridge.ts';
import { privateDescriptor } from './descriptors.ts';
import { attest, isAlive, type Attestation } from './gate.ts';
import type { Helpers } from './helpers.ts';
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
  readonly info: Promise<number>;
  readonly setupOutput: () => string;
  readonly open: () => void;
}

const START_MS = 20_000;
const DRAIN_MS = 500;

/** Starts the executor: descriptors 4 request, 5 filter, 6 info, 7 gate, 8 start script (see wrapper.ts). */
const startHeld = ({ runtimeDir, helpers }: LauncherOptions, request: LaunchRequest, plan: LaunchPlan, script: string): Held => {
  const root = process.getuid?.() === 0;
  const owner = root ? request.user : undefined;
  const given = [
    privateDescriptor(runtimeDir, `${request.run}.request`, JSON.stringify(plan.request), owner),
    fs.openSync(helpers.filter, 'r'),
    privateDescriptor(runtimeDir, `${request.run}.start`, script, owner),
  ] as const;
  let child: ChildProcess;
  try {
    child = spawn(helpers.executor, ['--config', '/dev/fd/4'], {
      ...(root && { uid: request.user.uid, gid: request.user.gid }),
      cwd: '/',
      detached: true,
      env: { PATH: helpers.path },
      stdio: ['pipe', 'pipe', 'pipe', 'ignore', given[0], given[1], 'pipe', 'pipe', given[2]],
    });
  } finally {
    for (const fd of given) fs.closeSync(fd);
  }
  const streams: readonly (Readable | Writable | null | undefined)[] = child.stdio;
  const infoStream = streams[6];
  const gate = streams[7];
  if (!(infoStream instanceof Readable) || !(gate instanceof Writable)) throw new CordonError('launch.setup-failed', 'the run has no gate');
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    if (output.length < 4096) output += chunk.toString('utf8');
  });
  const info = new Promise<number>((resolve, reject) => {
    let text = '';
    const late = setTimeout(() => reject(new CordonError('launch.setup-failed', 'the sandbox was not set up in time')), START_MS);
    child.once('error', (cause) =>
      reject(new CordonError('launch.executor-missing', `the executor could not be started: ${cause.message}`, { cause })),
    );
    child.once('exit', () => setImmediate(() => reject(setupError(output))));
    infoStream.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
      if (pid === undefined || !text.includes('}')) return;
      clearTimeout(late);
      resolve(Number(pid));
    });
    child.once('close', () => clearTimeout(late));
  });
  gate.on('error', () => gate.destroy());
  return { child, info, setupOutput: () => output, open: () => void gate.end('1') };
};

/** The run after its gate opened: streams, time limit, and an end that is the end of its init. */
const follow = (held: Held, request: LaunchRequest, attestation: Attestation, stderr: PassThrough, release: () => Promise<void>): Run => {
  const { child } = held;
  let reason: RunEnd['reason'] = 'exited';
  const end = (why: 'killed' | 'timeout'): void => {
    if (reason === 'exited') reason = why;
    if (isAlive(attestation.pid, attestation.startTime)) process.kill(attestation.pid, 'SIGKILL');
  };
  const { timeoutMs } = request.plan;
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => end('timeout'), Math.min(timeoutMs, 2 ** 31 - 1));
  const exited = new Promise<number>((resolve) => {
    const code = (exitCode: number | null): void => resolve(exitCode ?? 137);
    if (child.exitCode !== null || child.signalCode !== null) code(child.exitCode);
    else child.once('exit', code);
  });
  const drained = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ended = exited.then(async (exitCode): Promise<RunEnd> => {
    clearTimeout(timer);
    // The executor's word is not the end: whatever is left of the sandbox goes with its init.
    if (isAlive(attestation.pid, attestation.startTime)) process.kill(attestation.pid, 'SIGKILL');
    const grace = setTimeout(() => child.stdio.forEach((stream) => stream?.destroy()), DRAIN_MS);
    await drained;
    clearTimeout(grace);
    stderr.end();
    await release();
    return { reason, exitCode: reason === 'exited' ? exitCode : reason === 'timeout' ? 124 : 137 };
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new CordonError('launch.setup-failed', 'the run has no streams');
  stdin.on('error', () => stdin.destroy());
  return { run: request.run, attestation, stdin, stdout, stderr, ended, kill: end };
};

export const createLauncher = (options: LauncherOptions): Launcher => ({
  launch: async (request) => {
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
    try {
      held = startHeld(options, request, full, script);
      const pid = await held.info;
      const planned = { readonly: full.request.filesystem.readonlyPaths, readwrite: readwritePaths, denied: deniedPaths };
      const [attestation, bridge] = await Promise.all([
        attest(pid, planned, identities, user.uid),
        root ? startBridge(options.helpers, pid, socket, user) : undefined,
      ]);
      const stderr = new PassThrough();
      held.child.stderr?.removeAllListeners('data').pipe(stderr, { end: false });
      const result = follow(held, request, attestation, stderr, async () => {
        if (bridge !== undefined) stopBridge(bridge);
        await release();
      });
      held.open();
      return result;
    } catch (error) {
      const group = held?.child.pid;
      if (group !== undefined && held?.child.exitCode === null) process.kill(-group, 'SIGKILL');
      await release();
      throw error;
    }
  },
});
