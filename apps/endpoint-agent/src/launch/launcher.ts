/** One contained run: from a plan to a workload that starts only after the gate, and that has ended only when the sandbox's init is gone. */
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { CordonError } from '@cordon/policy/errors.ts';
import type { LaunchPlan, Limits } from '@cordon/policy/launch-plan.ts';
import type { Egress } from '../egress/egress.ts';
import { localForwards } from '../egress/forwards.ts';
import type { Authorities } from './authorities.ts';
import { attest, endProcess, isAlive, startTimeOf, type Attestation } from './gate.ts';
import type { Helpers } from './helpers.ts';
import type { Doors } from '../local-api/doors.ts';
import type { Group } from './cgroup.ts';
import { follow } from './follow.ts';
import type { Finding } from './guard.ts';
import type { Limiter } from './limiter.ts';
import type { Planned } from './mounts.ts';
import { createPipes } from './pipes.ts';
import { prepareLaunch } from './prepared.ts';
import { createSeats } from './seats.ts';
import { PROXY_PORT, runEnvironment, startScript } from './start-script.ts';
import { FIRST, pipeStreams, terminalStreams } from './streams.ts';
import { failure, listen } from './told.ts';
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
  readonly parent?: Pick<Run, 'run' | 'group'> | undefined;
  /** Pipes when undefined. */
  readonly terminal?: TerminalRequest | undefined;
  /** Awaited while the sandbox is set up, judged, and held. */
  readonly onHeld?: ((init: number) => Promise<void>) | undefined;
  /** Something that somebody should look at, while it lives or when it has just ended. */
  readonly onFinding?: ((finding: Finding) => void) | undefined;
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
  /** The company's certificate authorities, where it has some of its own. */
  readonly authorities?: Authorities | undefined;
}

export interface Launcher {
  /** @throws CordonError `launch.*`; nothing of the workload has run then */
  launch(request: LaunchRequest): Promise<Run>;
  /** Ends what waits for a next run. */
  stop(): Promise<void>;
}

export const createLauncher = (options: LauncherOptions): Launcher => {
  const { runtimeDir: folder, helpers, egress, limiter, doors, authorities } = options;
  const root = process.getuid?.() === 0;
  const seats = createSeats({ folder, helpers, egress, doors, pipes: createPipes(folder, helpers.mkfifo) });
  const launch = async (request: LaunchRequest): Promise<Run> => {
    const { user, run, plan, terminal } = request;
    const owner = root ? user : undefined;
    const prepared = prepareLaunch(plan, user.uid);
    const { readonlyPaths, readwritePaths, deniedPaths } = prepared.filesystem;
    helpers.etc.prepare(user, [...readonlyPaths, ...readwritePaths, ...deniedPaths]);
    const seat = await seats.take();
    // Without root the socket is bound into the sandbox, and socat inside makes it the proxy address.
    const extra = [
      ...(root ? [] : [path.dirname(seat.socket)]),
      ...(seat.door === undefined ? [] : [seat.door.folder]),
      ...(authorities === undefined ? [] : [authorities.folder]),
    ];
    const forwards = localForwards(plan.egress, [PROXY_PORT]);
    const filesystem = { ...prepared.filesystem, readonlyPaths: [...readonlyPaths, ...extra] };
    const planned: Planned = {
      readonly: filesystem.readonlyPaths,
      readwrite: readwritePaths,
      denied: deniedPaths,
      hostFacts: helpers.hostFacts,
      shared: helpers.etc.shared,
    };
    const script = startScript({
      cwd: request.cwd,
      environment: { ...runEnvironment(user, request.env, terminal?.name, seat.door?.socket), ...authorities?.environment },
      argv: request.argv,
      limits: limiter.carried(plan.limits),
      ...(terminal !== undefined && { terminal: { place: `/dev/pts/${FIRST}`, stderr: terminal.stderr } }),
      ...(!root && { bridge: { socat: helpers.socat, socket: seat.socket } }),
      ...(forwards.length > 0 && { forwards: { socat: helpers.socat, to: forwards } }),
    });
    let group: Group | undefined;
    let init: { pid: number; startTime: string | undefined } | undefined;
    try {
      const assigned = egress.assign(seat.name, run, plan.egress, request.parent?.run);
      const told = listen(seat);
      seat.begin(owner, JSON.stringify({ ...plan.request, filesystem }));
      const attested = told.init.then(async (pid) => {
        const startTime = startTimeOf(pid);
        init = { pid, startTime };
        if (startTime !== undefined) seat.hold({ pid, startTime });
        const { bubblewrap, etc } = helpers;
        const expected = {
          plan: planned,
          identities: prepared.identities,
          uid: user.uid,
          network: seat.network,
          bubblewrap,
          etc: etc.folder,
        };
        return attest(pid, expected).catch(async (error: unknown) => {
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
      await request.onHeld?.(pid);
      if (!seat.usable()) throw new CordonError('launch.bridge', 'the way out of the sandbox is not open');
      const held = group;
      const result = follow({
        seat,
        told,
        streams,
        request,
        attestation,
        group: held,
        prepared,
        planned,
        renew: (limits) => limiter.renew(held, plan.limits, limits),
        release: async () => {
          held?.remove();
          await egress.close(run);
        },
        onFinding: (finding) => request.onFinding?.(finding),
      });
      seat.outputs.stderr.read(); // what the set-up said is not the workload's
      seat.open(owner, script);
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
