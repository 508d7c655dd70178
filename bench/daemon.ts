/**
 * `daemon.idle`: resident memory of the daemon of an enrolled endpoint, packed as endpoints have it, connected and with nothing to do; `daemon.busy`: with fifty runs. The floor of both is
 * a Node process that does nothing but hold a WebSocket. `daemon.cpu`: percent of one processor while idle; its floor is the same process. `daemon.family`: what the daemon and every process
 * that it keeps ready take together, with what they share counted once (PSS); its floor is the same process by the same count.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import type { Platform } from '@cordon/policy/trust/package.ts';
import { WebSocketServer } from 'ws';
import { packAgent } from '../infra/pack/pack.ts';
import type { World } from '../infra/quickstart/world.ts';
import { startAgent, type BenchAgent } from './agent.ts';
import { figure, type BenchOptions, type Figure, type Round } from './figure.ts';

const RUNS = 50;
/** After start-up, for what it left behind to be given back. */
const SETTLE_MS = 10_000;
const WINDOW_MS = 30_000;
const MIB = 1024;
/** Percent. */
const LEAST_CPU = 0.001;

const inStatus = (pid: number, file: 'status' | 'smaps_rollup', name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(fs.readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1] ?? Number.NaN);

const residentMib = (pid: number): number => inStatus(pid, 'status', 'VmRSS') / MIB;

/** Of all its threads, as the scheduler counts them: to the nanosecond, where `utime` knows hundredths of a second. */
const cpuSeconds = (pid: number): number =>
  fs
    .readdirSync(`/proc/${pid}/task`)
    .reduce((sum, task) => sum + Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9, 0);

const childrenOf = (pid: number): number[] =>
  fs
    .readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => fs.readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' '))
    .filter((word) => word !== '')
    .map(Number);

/** @returns the process and all below it */
const family = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(family)];
const sharedMib = (pid: number): number => family(pid).reduce((sum, member) => sum + inStatus(member, 'smaps_rollup', 'Pss') / MIB, 0);

interface Bare {
  readonly pid: number;
  stop(): Promise<void>;
}

/** The barest process that could hear of anything. */
const startBare = async (node: string): Promise<Bare> => {
  const server = http.createServer();
  const channels = new WebSocketServer({ server });
  const connected = once(channels, 'connection');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const script = `import(${JSON.stringify(import.meta.resolve('ws'))}).then(({ default: WebSocket }) => new WebSocket('ws://127.0.0.1:${(server.address() as AddressInfo).port}'))`;
  const child = spawn(node, ['-e', script], { stdio: 'ignore' });
  await connected;
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
      channels.close();
      server.close();
    },
  };
};

/** What the service's description gives Node, but for the file of settings, which this machine does not have. */
const unitFlags = (unit: string): string[] =>
  (/^ExecStart=@NODE@ (.*) @PROGRAM@ daemon$/m.exec(unit)?.[1] ?? '').split(' ').filter((flag) => !flag.includes('env-file'));

/** Packs this checkout, and unpacks it where an installation would lie. @returns how its command is started */
const unpacked = async (world: World): Promise<readonly string[]> => {
  const { archive, name } = await packAgent(
    `${process.platform}-${process.arch}` as Platform,
    keyPairFromSeed(randomBytes(32)),
    world.root,
  );
  const file = path.join(world.root, name);
  fs.writeFileSync(file, archive);
  const { status } = spawnSync('tar', ['-xzf', file, '-C', world.root]);
  if (status !== 0) throw new Error(`tar ended with ${String(status)}`);
  const folder = path.join(world.root, name.replace('.tar.gz', ''));
  return [
    path.join(folder, 'bin/node'),
    ...unitFlags(fs.readFileSync(path.join(folder, 'service/cordon.service'), 'utf8')),
    path.join(folder, 'lib/cordon.js'),
  ];
};

interface Seen {
  readonly idle: Round;
  readonly cpu: Round;
  readonly all: Round;
}

const watch = async (agent: BenchAgent, bare: Bare): Promise<Seen> => {
  const before = [agent.pid(), bare.pid].map(cpuSeconds);
  await wait(WINDOW_MS);
  const [product = 0, floor = 0] = [agent.pid(), bare.pid].map((pid, i) => ((cpuSeconds(pid) - (before[i] ?? 0)) * 100_000) / WINDOW_MS);
  return {
    idle: { product: residentMib(agent.pid()), floor: residentMib(bare.pid) },
    // One that does nothing at all takes less than can be told.
    cpu: { product, floor: Math.max(floor, LEAST_CPU) },
    all: { product: sharedMib(agent.pid()), floor: sharedMib(bare.pid) },
  };
};

const busy = async (agent: BenchAgent): Promise<number> => {
  const runs = await Promise.all(Array.from({ length: RUNS }, () => agent.caller(['sleep', '15'])));
  const ended = runs.map((run) => run());
  // All of them are at work once their workloads exist; they end together.
  let most = 0;
  for (let over = false; !over;) {
    over = await Promise.race([Promise.all(ended).then(() => true), wait(250).then(() => false)]);
    most = Math.max(most, residentMib(agent.pid()));
  }
  return most;
};

export const run = async ({ rounds, say, signal }: BenchOptions): Promise<readonly Figure[]> => {
  say('daemon: packs the agent; a control plane, an enrolled endpoint and its daemon');
  const agent = await startAgent(unpacked);
  const bare = await startBare(process.execPath);
  try {
    const seen: Seen[] = [];
    const working: Round[] = [];
    for (let i = 0; i < rounds; i += 1) {
      signal.throwIfAborted();
      await wait(SETTLE_MS);
      const now = await watch(agent, bare);
      seen.push(now);
      say(
        `daemon: round ${i + 1}: idle ${now.idle.product.toFixed(1)} MiB, bare ${now.idle.floor.toFixed(1)} MiB; ${now.cpu.product.toFixed(3)} % of a processor; with all its processes ${now.all.product.toFixed(1)} MiB`,
      );
    }
    for (let i = 0; i < rounds; i += 1) {
      signal.throwIfAborted();
      const round = { product: await busy(agent), floor: residentMib(bare.pid) };
      working.push(round);
      say(`daemon: round ${i + 1}: with ${RUNS} runs ${round.product.toFixed(1)} MiB`);
    }
    return [
      figure(
        'daemon.idle',
        'MiB',
        seen.map(({ idle }) => idle),
      ),
      figure(
        'daemon.cpu',
        '%',
        seen.map(({ cpu }) => cpu),
      ),
      figure(
        'daemon.family',
        'MiB',
        seen.map(({ all }) => all),
      ),
      figure('daemon.busy', 'MiB', working),
    ];
  } finally {
    await bare.stop();
    await agent.close();
  }
};
