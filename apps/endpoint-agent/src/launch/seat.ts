/**
 * A seat: the processes of a run, ready before anyone asks for one, since making them takes longer than the rest of a launch. It belongs to no account and no run
 * until it begins. For a root daemon it is a network namespace with nothing but loopback, the egress bridge listening in it, and a shell that waits in front
 * of the executor. Nothing of it is visible inside a sandbox, and the workload cannot end or replace the bridge.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { Duplex, Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';
import { DENY_ALL, type Egress } from '../egress/egress.ts';
import type { Door, Doors } from '../local-api/doors.ts';
import { laterDescriptor, type Owner } from './descriptors.ts';
import { endProcess, isAlive, startTimeOf } from './gate.ts';
import type { Helpers } from './helpers.ts';
import type { Outputs, Pipes } from './pipes.ts';
import { PROXY_PORT } from './start-script.ts';

export interface Seat {
  /** Its way out's name until it is a run's. */
  readonly name: string;
  readonly socket: string;
  readonly child: ChildProcess;
  readonly outputs: Outputs;
  /** The run's way to the daemon, where it gets one. */
  readonly door: Door | undefined;
  /** What bubblewrap tells: the sandbox's init, and in the end the workload's status. */
  readonly status: Readable;
  /** The network namespace that the run must be in; undefined when its sandbox makes one of its own. */
  readonly network: string | undefined;
  /** Whether it still is what was prepared. */
  usable(): boolean;
  /** Nobody is left to end it if this process should: called once, and never when it ends otherwise. */
  onLost(lost: () => void): void;
  /** Starts the executor as this account; as this process's own when undefined. */
  begin(owner: Owner | undefined, request: string): void;
  /** This is the sandbox's init: from now on it ends with this process, whatever it has armed itself with. */
  hold(init: { readonly pid: number; readonly startTime: string }): void;
  /**
   * Opens the gate. bubblewrap goes on as well when the gate's other end is closed, so the workload is told of only here: before, there is nothing that could start.
   */
  open(owner: Owner | undefined, script: string): void;
  /** Ends its processes; what the run wrote can still be read. */
  end(): void;
  /** Ends it, nothing of it is wanted any more; its way out is closed by who assigned it. */
  discard(): void;
}

export interface SeatOptions {
  /** Only the daemon may enter it. */
  readonly folder: string;
  readonly helpers: Helpers;
  readonly pipes: Pipes;
  readonly egress: Pick<Egress, 'open' | 'close' | 'pid' | 'account'>;
  readonly doors?: Pick<Doors, 'open'> | undefined;
}

/**
 * Whatever happens to the executor or to this process: when descriptor 9 closes, the sandbox's init ends, as the last line there named it, and then the whole
 * group. (A signal at the parent's death would not do: the executor has an account that may not end the bridge, and the init arms itself only after the gate.)
 */
const LIFELINE = `(while read -r pid time <&9; do init=$pid since=$time; done
[ -n "$init" ] && read -r stat <"/proc/$init/stat" && case $stat in *" $since "*) kill -KILL "$init" ;; esac
kill -KILL 0) </dev/null >/dev/null 2>&1 3<&- 4<&- 5<&- 6>&- 7<&- 8<&- &
exec 9<&-`;

/**
 * For the executor the lifeline is not alone: when this process ends, the kernel ends it, and bubblewrap and its init after it. Arguments: executor, setpriv.
 */
const PLAIN = `${LIFELINE}
exec "$2" --pdeathsig KILL /bin/sh -c 'read -r begin <&3 || exit 1
exec "$1" --config /dev/fd/4 3<&-' seat "$1"`;

/** Arguments: executor, nsenter, bubblewrap, setpriv, socat, socket, user and group of the bridge. */
const BRIDGED = `"$3" --unshare-net --dev-bind / / --die-with-parent --info-fd 9 -- \\
  "$4" --reuid "$7" --regid "$8" --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs --pdeathsig KILL \\
  "$5" TCP-LISTEN:${PROXY_PORT},bind=127.0.0.1,fork,reuseaddr "UNIX-CONNECT:$6" >/dev/null 2>&1 3<&- 4<&- 5<&- 6>&- 7<&- 8<&- &
${LIFELINE}
read -r bridge <&3 || exit 1
exec "$2" "--net=/proc/$bridge/ns/net" /bin/sh -c 'read -r uid gid <&3 || exit 1
exec "$2" --reuid "$uid" --regid "$gid" --clear-groups --pdeathsig KILL "$1" --config /dev/fd/4 3<&-' seat "$1" "$4"`;

const READY_MS = 10_000;

/** Whether the bridge listens: it is alone in its network namespace. (The table of sockets would say the same, and takes milliseconds to read.) */
const isListening = (pid: number): boolean => {
  try {
    return /^TCP: inuse [1-9]/m.test(fs.readFileSync(`/proc/${pid}/net/sockstat`, 'latin1'));
  } catch {
    return false; // gone: whoever waits sees it too
  }
};

const hasEnded = ({ pid, exitCode, signalCode }: ChildProcess): boolean => pid === undefined || exitCode !== null || signalCode !== null;

/** @returns the bridge's process, once it listens. @throws CordonError `launch.bridge` */
const bridgeOf = async (child: ChildProcess, told: Readable): Promise<{ readonly pid: number; readonly startTime: string }> => {
  const end = performance.now() + READY_MS;
  let text = '';
  told.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  for (;;) {
    const pid = Number(/"child-pid": (\d+)/.exec(text)?.[1] ?? 0);
    const startTime = pid > 0 && isListening(pid) ? startTimeOf(pid) : undefined;
    if (startTime !== undefined) return { pid, startTime };
    if (hasEnded(child) || performance.now() > end)
      throw new CordonError('launch.bridge', 'the way out of the sandbox did not open', { retryable: true });
    await wait(2);
  }
};

/** @throws CordonError `launch.executor-missing`, `launch.bridge`, `launch.pipes`, `egress.*` */
export const prepareSeat = async ({ folder, helpers, pipes, egress, doors }: SeatOptions): Promise<Seat> => {
  const { executor, nsenter, bubblewrap, setpriv, socat } = helpers;
  helpers.check();
  if (!fs.existsSync(executor))
    throw new CordonError('launch.executor-missing', `there is no executor at ${executor}`, { place: executor });
  const root = process.getuid?.() === 0;
  const name = `seat_${randomBytes(9).toString('base64url')}`;
  const server = egress.pid();
  const { uid, gid } = egress.account;
  const { socket } = await egress.open(name, DENY_ALL, egress.account);
  const door = await doors?.open();
  const request = laterDescriptor(folder, `${name}.request`);
  const start = laterDescriptor(folder, `${name}.start`);
  const filter = fs.openSync(helpers.filter, 'r');
  const outputs = pipes.open();
  const words = root
    ? [BRIDGED, 'seat', executor, nsenter, bubblewrap, setpriv, socat, socket, `${uid}`, `${gid}`]
    : [PLAIN, 'seat', executor, setpriv];
  // Descriptors: 3 begin, 9 what the bridge tells, and the lifeline; for the executor and what it starts 4 request, 5 filter, 6 status, 7 gate, 8 start script (see wrapper.ts).
  const child = spawn('/bin/sh', ['-c', ...words], {
    cwd: '/',
    detached: true,
    env: { PATH: helpers.path },
    stdio: ['ignore', ...outputs.inside, 'pipe', request.given, filter, 'pipe', 'pipe', start.given, 'pipe'],
  });
  child.once('error', () => undefined); // it has no pid then, and has ended
  const startTime = startTimeOf(child.pid ?? 0) ?? '';
  for (const fd of [request.given, filter, start.given]) fs.closeSync(fd);
  const streams: readonly (Readable | Writable | null | undefined)[] = child.stdio;
  const [, , , begin, , , status, gate, , lifeline] = streams;
  let bridge: { readonly pid: number; readonly startTime: string } | undefined;
  let state: 'held' | 'lost' | 'over' = 'held';
  let tellLost: () => void = () => undefined;
  const end = (): void => {
    state = 'over';
    for (const stream of [begin, gate, lifeline]) stream?.destroy();
    door?.close();
    // Whoever ended the shell that waits on the lifeline has not ended this.
    if (bridge !== undefined) endProcess(bridge.pid, bridge.startTime);
  };
  const discard = (): void => {
    end();
    for (const part of [request, start, outputs]) part.close();
  };
  try {
    if (!(begin instanceof Writable) || !(status instanceof Readable) || !(gate instanceof Writable) || !(lifeline instanceof Duplex))
      throw new CordonError('launch.setup-failed', 'the run has no gate');
    for (const stream of [begin, gate, lifeline]) stream.on('error', () => stream.destroy());
    lifeline.resume().once('close', () => {
      if (state !== 'held') return;
      state = 'lost';
      tellLost();
    });
    const opened = root ? await bridgeOf(child, lifeline) : undefined;
    bridge = opened;
    if (opened !== undefined) begin.write(`${opened.pid}\n`);
    return {
      name,
      socket,
      child,
      outputs,
      door,
      status,
      network: opened && fs.readlinkSync(`/proc/${opened.pid}/ns/net`),
      // Its end may not have been told yet.
      usable: () =>
        state === 'held' &&
        !hasEnded(child) &&
        isAlive(child.pid ?? 0, startTime) &&
        egress.pid() === server &&
        (opened === undefined || isAlive(opened.pid, opened.startTime)),
      begin: (owner, text) => {
        outputs.give(owner);
        request.fill(text, owner);
        begin.end(`${owner?.uid ?? 0} ${owner?.gid ?? 0}\n`);
      },
      hold: ({ pid, startTime: since }) => void lifeline.write(`${pid} ${since}\n`),
      open: (owner, script) => {
        start.fill(script, owner);
        gate.end('1');
      },
      onLost: (lost) => {
        tellLost = lost;
        if (state === 'lost') lost();
      },
      end,
      discard,
    };
  } catch (error) {
    discard();
    await egress.close(name);
    throw error;
  }
};
