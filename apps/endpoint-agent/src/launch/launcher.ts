/** One contained run: from a plan to a workload that starts only after the gate, and that has ended only when the sandbox's init is gone. */
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CordonError } from '@cordon/policy/errors.ts';
import type { LaunchPlan, Limits } from '@cordon/policy/launch-plan.ts';
import type { Egress } from '../egress/egress.ts';
import { attest, endProcess, isAlive, startTimeOf, type Attestation } from './gate.ts';
import type { Helpers } from './helpers.ts';
import type { Doors } from '../local-api/doors.ts';
import type { Group } from './cgroup.ts';
import { createDeadline } from './deadline.ts';
import type { Limiter } from './limiter.ts';
import { createPipes, drained, type Outputs } from './pipes.ts';
import { preflight } from './preflight.ts';
import type { Seat } from './seat.ts';
import { createSeats } from './seats.ts';
import { setupError } from './setup-error.ts';
import { runEnvironment, startScript } from './start-script.ts';
import { FIRST, pipeStreams, terminalStreams, type Streams } from './streams.ts';
import type { TerminalRequest, TerminalSize } from './terminal.ts';

export interface LaunchRequest {
  /** Id of the run. */
  readonly run: string;
  readonly plan: LaunchPlan;
  readonly argv: readonly string[];
  /** Values of the caller's variables that the policy passes on. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly name: string; readonly home: string };
  /** The run that it is a part of. */
  readonly parent?: Pick<Run, 'group'> | undefined;
  /** Pipes when undefined. */
  readonly terminal?: TerminalRequest | undefined;
}

export interface RunEnd {
  readonly reason: 'exited' | 'killed' | 'timeout' | 'setup-failed';
  readonly exitCode: number;
}

export interface Run {
  readonly run: string;
  readonly attestation: Attestation;
  /** What limits it together with all that it starts. */
  readonly group: Group | undefined;
  /** The socket inside that is its way to the daemon. */
  readonly door: string | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly ended: Promise<RunEnd>;
  resize(size: TerminalSize): void;
  /** Puts it under other limits while it lives. @returns false when it cannot be: it was started with more than that */
  relimit(limits: Limits): boolean;
  kill(reason: 'killed' | 'timeout'): void;
}

export interface LauncherOptions {
  /** A folder that only the daemon can enter; short, since sockets lie in it. */
  readonly runtimeDir: string;
  readonly helpers: Helpers;
  readonly egress: Pick<Egress, 'open' | 'assign' | 'close' | 'pid' | 'account'>;
  readonly limiter: Pick<Limiter, 'group' | 'renew' | 'carried'>;
  /** Ways from inside the runs to the daemon; a run gets none without. */
  readonly doors?: Pick<Doors, 'open'>;
}

export interface Launcher {
  /** @throws CordonError `launch.*`; nothing of the workload has run then */
  launch(request: LaunchRequest): Promise<Run>;
  /** Ends what waits for a next run. */
  stop(): Promise<void>;
}

const START_MS = 20_000;

/** Why a set-up failed by itself: what it said on its standard error is all that there is to know. */
const failure = async ({ stderr }: Outputs): Promise<CordonError> => {
  const [said] = await Promise.all([text(stderr), drained(stderr)]);
  return setupError(said);
};

interface Told {
  /** The sandbox's init, before it is ready. */
  readonly init: Promise<number>;
  /** The workload's status. The executor tells it too, but looks for it only now and then. */
  readonly exitCode: Promise<number>;
}

/** What bubblewrap tells of itself. */
const listen = ({ child, outputs, status }: Seat): Told => {
  const exitCode = Promise.withResolvers<number>();
  let late: NodeJS.Timeout | undefined;
  const init = new Promise<number>((resolve, reject) => {
    let told = '';
    late = setTimeout(() => reject(new CordonError('launch.setup-failed', 'the sandbox was not set up in time')), START_MS);
    child.once('exit', () => void failure(outputs).then(reject, reject));
    status.on('data', (chunk: Buffer) => {
      told += chunk.toString('latin1');
      const end = /"exit-code": (\d+)/.exec(told)?.[1];
      if (end !== undefined) exitCode.resolve(Number(end));
      const pid = /"child-pid": (\d+),/.exec(told)?.[1];
      if (pid === undefined) return;
      child.removeAllListeners('exit');
      resolve(Number(pid));
    });
  }).finally(() => clearTimeout(late));
  return { init, exitCode: exitCode.promise };
};

/** The run after its gate opened: streams, time limit, and an end that is the end of its init. */
const follow = (
  { child, door, end: endSeat }: Seat,
  told: Told,
  { stdin, stdout, stderr, outputs, resize, finish }: Streams,
  request: LaunchRequest,
  attestation: Attestation,
  group: Group | undefined,
  renew: Run['relimit'],
  release: () => Promise<void>,
): Run => {
  let reason: RunEnd['reason'] = 'exited';
  let over = false;
  const end = (why: 'killed' | 'timeout'): void => {
    // Killed after its end: nobody wants what it has left to say.
    if (over) return outputs.forEach((stream) => void stream.destroy());
    if (reason === 'exited') reason = why;
    endProcess(attestation.pid, attestation.startTime);
  };
  const deadline = createDeadline(() => end('timeout'));
  deadline.set(request.plan.limits.timeoutMs);
  const exited = new Promise<number>((resolve) => {
    const code = (exitCode: number | null): void => resolve(exitCode ?? 137);
    if (child.exitCode !== null || child.signalCode !== null) code(child.exitCode);
    else child.once('exit', code);
    void told.exitCode.then(resolve);
  });
  const ended = exited.then(async (exitCode): Promise<RunEnd> => {
    deadline.cancel();
    // The executor's word is not the end: whatever is left of the sandbox goes with its init.
    endProcess(attestation.pid, attestation.startTime);
    over = true;
    endSeat();
    finish();
    await release();
    await Promise.all(outputs.map(drained));
    return { reason, exitCode: reason === 'exited' ? exitCode : reason === 'timeout' ? 124 : 137 };
  });
  const relimit = (limits: Limits): boolean => {
    deadline.set(limits.timeoutMs);
    return renew(limits);
  };
  return { run: request.run, attestation, group, door: door?.socket, stdin, stdout, stderr, ended, resize, relimit, kill: end };
};

export const createLauncher = (options: LauncherOptions): Launcher => {
  const { runtimeDir: folder, helpers, egress, limiter, doors } = options;
  const root = process.getuid?.() === 0;
  const seats = createSeats({ folder, helpers, egress, doors, pipes: createPipes(folder, helpers.mkfifo) });
  const launch = async (request: LaunchRequest): Promise<Run> => {
    const { user, run, plan, terminal } = request;
    const owner = root ? user : undefined;
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
    const seat = await seats.take();
    // Without root the socket is bound into the sandbox, and socat inside makes it the proxy address.
    const extra = [...(root ? [] : [path.dirname(seat.socket)]), ...(seat.door === undefined ? [] : [seat.door.folder])];
    const full: LaunchPlan = {
      ...plan,
      request: { ...plan.request, filesystem: { ...plan.request.filesystem, readonlyPaths: [...readonlyPaths, ...extra] } },
    };
    const script = startScript({
      cwd: request.cwd,
      environment: runEnvironment(user, request.env, terminal?.name, seat.door?.socket),
      argv: request.argv,
      limits: limiter.carried(plan.limits),
      ...(terminal !== undefined && { terminal: { place: `/dev/pts/${FIRST}`, stderr: terminal.stderr } }),
      ...(!root && { bridge: { socat: helpers.socat, socket: seat.socket } }),
    });
    let group: Group | undefined;
    let init: { pid: number; startTime: string | undefined } | undefined;
    try {
      const assigned = egress.assign(seat.name, run, plan.egress);
      const told = listen(seat);
      seat.begin(owner, JSON.stringify(full.request), script);
      const attested = told.init.then(async (pid) => {
        init = { pid, startTime: startTimeOf(pid) };
        const planned = { readonly: full.request.filesystem.readonlyPaths, readwrite: readwritePaths, denied: deniedPaths };
        return attest(pid, planned, identities, user.uid, seat.network).catch(async (error: unknown) => {
          // bubblewrap names its init before it mounts anything: a set-up that fails later ends that init.
          throw init?.startTime !== undefined && isAlive(pid, init.startTime) ? error : await failure(seat.outputs);
        });
      });
      const [attestation] = await Promise.all([attested, assigned]);
      const { pid } = attestation;
      group = limiter.group(run, plan.limits, request.parent?.group);
      group?.admit(pid);
      const streams =
        terminal === undefined ? pipeStreams(pid, seat.outputs) : await terminalStreams(pid, seat.outputs, terminal, owner, helpers);
      if (!seat.usable()) throw new CordonError('launch.bridge', 'the way out of the sandbox is not open');
      const held = group;
      const renew: Run['relimit'] = (limits) => limiter.renew(held, plan.limits, limits);
      const result = follow(seat, told, streams, request, attestation, held, renew, async () => {
        held?.remove();
        await egress.close(run);
      });
      seat.outputs.stderr.read(); // what the set-up said is not the workload's
      seat.gate.end('1');
      return result;
    } catch (error) {
      if (init?.startTime !== undefined) endProcess(init.pid, init.startTime);
      seat.discard();
      group?.remove();
      for (const name of [run, seat.name]) await egress.close(name);
      throw error;
    } finally {
      seats.refill();
    }
  };
  return { launch, stop: seats.stop };
};
