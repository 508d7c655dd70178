/**
 * Daemon, egress process and the processes of launches killed at random moments, while runs begin, live and end: whatever of a run lives is contained, what was killed
 * takes with it what hangs on it and nothing else, and of every run that was said to have begun both its beginning and its end arrive, once.
 */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { expect, it, onTestFinished } from 'vitest';
import { connectLocal } from '../apps/endpoint-agent/src/local-api/client.ts';
import { KIND, socketFor, type Reply } from '../apps/endpoint-agent/src/local-api/protocol.ts';
import { startControlPlane, type ControlPlane } from '../apps/endpoint-agent/tests/_control-plane.ts';
import { enrol, install, type Daemon } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld, processesWith, type World } from '../apps/endpoint-agent/tests/_world.ts';
import { createRandom } from './_random.ts';

/** How often something is killed: a few times in the suite, 200 times in the nightly run. */
const KILLS = Number(process.env['CORDON_KILLS'] ?? Math.max(8, Math.min(200, LAW_RUNS / 100)));
const SEED = Number(process.env['CORDON_KILL_SEED'] ?? 20_261_124);
const GONE = { timeout: 20_000, interval: 20 };

/** One run as who started it knows it. */
interface Asked {
  readonly mark: string;
  /** Its id, once it is said to have begun. */
  run: string | undefined;
  ended: boolean;
  close(): void;
}

/** Runs a tree of processes that hold on to life: in sessions of their own, deaf to signals. */
const ask = async (world: World, mark: string, seconds: number): Promise<Asked> => {
  const asked = { mark, run: undefined as string | undefined, ended: false };
  const client = await connectLocal(socketFor(world.runtimeDir, world.account.uid), (kind, payload) => {
    if (kind !== KIND.control) return;
    const reply = JSON.parse(payload.toString('utf8')) as Reply;
    if (reply.type === 'environment') client.send({ op: 'environment', values: {} });
    if (reply.type === 'started') asked.run = reply.run;
  });
  client.socket.on('error', () => undefined);
  client.socket.once('close', () => (asked.ended = true));
  const deaf = `trap '' HUP INT TERM; sleep ${seconds}; : ${mark}`;
  client.send({ op: 'run', argv: ['sh', '-c', `setsid sh -c "${deaf}" & ${deaf}`], cwd: world.workspace });
  return Object.assign(asked, { close: () => void client.socket.destroy() });
};

const namespaceOf = (pid: number, kind: string): string | undefined => {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined; // gone
  }
};

const statOf = (pid: number): string => {
  try {
    return fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return ''; // gone
  }
};
const parentOf = (pid: number): number => Number(/\) \S (\d+)/.exec(statOf(pid))?.[1] ?? 0);
const nameOf = (pid: number): string => /\((.*)\)/.exec(statOf(pid))?.[1] ?? 'gone';

/** Processes of runs that share a namespace with this machine. */
const uncontained = (mark: string): number[] =>
  processesWith(mark).filter((pid) =>
    ['pid', 'mnt', 'net', 'user'].some((kind) => namespaceOf(pid, kind) === fs.readlinkSync(`/proc/self/ns/${kind}`)),
  );

const eventsOf = (plane: ControlPlane) => {
  const bySeq = new Map<string, ReturnType<typeof plane.received<'telemetry'>>[number]['events'][number]>();
  for (const { boot, events } of plane.received('telemetry')) for (const event of events) bySeq.set(`${boot} ${event.seq}`, event);
  return bySeq;
};

it(
  `after ${KILLS} kills nothing runs uncontained, and no run's beginning or end is lost`,
  async () => {
    const random = createRandom(SEED);
    const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
    const world = createWorld();
    onTestFinished(() => world.remove());
    const plane = await startControlPlane();
    onTestFinished(() => plane.stop());
    plane.publish('allow: { filesystem: { write: ["${workspace}"] } }');
    const installation = install(world);
    expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
    let daemon: Daemon = await installation.daemon();
    onTestFinished(() => daemon.kill());
    const ready = async (): Promise<void> => {
      await plane.push();
      await expect.poll(async () => (await installation.status()).enforcing !== null, { timeout: 20_000 }).toBe(true);
    };
    await ready();
    const own = `killed-${SEED}-${process.pid}`;
    const asked: Asked[] = [];
    const counts: Record<string, number> = {};

    for (let i = 0; i < KILLS; i += 1) {
      const fresh = await Promise.all(
        Array.from({ length: 1 + Math.floor(random() * 3) }, (_, n) => ask(world, `${own}-${i}-${n}`, random() < 0.3 ? 0.05 : 3600)),
      );
      asked.push(...fresh);
      // Half of the time in the middle of a launch, else when something lives.
      if (random() < 0.5) await expect.poll(() => fresh.some(({ run, ended }) => ended || run !== undefined), GONE).toBe(true);
      await wait(Math.floor(random() * 250));
      const what = random();
      if (what < 0.4) {
        await daemon.kill();
        counts['daemon'] = (counts['daemon'] ?? 0) + 1;
        // Before any other daemon is there to do it.
        await expect.poll(() => processesWith(`: ${own}`), GONE).toEqual([]);
        const left = processesWith(`${world.runtimeDir}/`);
        // As if it had lived with its policy for a minute: that one which does not is doubted is another story.
        fs.rmSync(path.join(installation.stateDir, 'trial.json'), { force: true });
        daemon = await installation.daemon();
        expect(left.filter((pid) => processesWith(`${world.runtimeDir}/`).includes(pid))).toEqual([]);
        await ready();
      } else if (what < 0.6) {
        // The egress process: alone among the daemon's children it is Node.
        const [egress] = processesWith('egress/main.ts').filter((pid) => parentOf(pid) === daemon.process.pid);
        if (egress !== undefined) process.kill(egress, 'SIGKILL');
        counts['egress'] = (counts['egress'] ?? 0) + 1;
      } else {
        const victim = pick(processesWith(`${world.runtimeDir}/helpers/`).filter((pid) => pid !== daemon.process.pid));
        const name = victim === undefined ? 'none' : nameOf(victim);
        if (victim !== undefined && name !== 'gone') process.kill(victim, 'SIGKILL');
        counts[name] = (counts[name] ?? 0) + 1;
      }
      expect(uncontained(`: ${own}`)).toEqual([]);
    }

    // A connection that ends takes its run with it, however the run's own processes fared.
    for (const one of asked) one.close();
    await expect.poll(() => processesWith(`: ${own}`), GONE).toEqual([]);
    const begun = asked.flatMap(({ run }) => run ?? []);
    const told = (kind: 'run.started' | 'run.ended') =>
      [...eventsOf(plane).values()].flatMap((event) => (event.kind === kind ? [event.run] : []));
    await expect.poll(() => begun.filter((run) => !told('run.ended').includes(run)), { timeout: 60_000, interval: 200 }).toEqual([]);
    for (const kind of ['run.started', 'run.ended'] as const) {
      const runs = told(kind);
      expect(runs.length).toBe(new Set(runs).size);
      expect(begun.filter((run) => !runs.includes(run))).toEqual([]);
    }
    expect(plane.faults).toEqual([]);
    // Each boot's events are there without a gap.
    const seqs = Map.groupBy(
      [...eventsOf(plane).keys()].map((key) => key.split(' ')),
      ([boot = '']) => boot,
    );
    for (const [boot, keys] of seqs) {
      const numbers = keys.map(([, seq]) => Number(seq)).sort((a, b) => a - b);
      expect([boot, numbers]).toEqual([boot, numbers.map((_, n) => (numbers[0] ?? 0) + n)]);
    }
    expect(await daemon.stop()).toBe(0);
    await expect.poll(() => processesWith(`${world.runtimeDir}/`), GONE).toEqual([]);
    console.log(`${asked.length} runs asked for, ${begun.length} begun; killed: ${JSON.stringify(counts)}`);
  },
  120_000 + KILLS * 15_000,
);
