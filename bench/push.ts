/**
 * `push.last-ack`: from the call of publish (sign, commit, notify) until the server has the last device's acknowledgement.
 * `push.stored`: until all of them are committed. Floor of both: bare `socket.write` of the same bytes to as many connections, with a reply of the same size from each.
 */
import { setImmediate as breathe, setTimeout as wait } from 'node:timers/promises';
import { downFrame } from '../apps/control-plane/src/gateway/frames.ts';
import { SessionHub } from '../apps/control-plane/src/gateway/hub.ts';
import { publish } from '../apps/control-plane/src/publishing/publish.ts';
import { figure, type BenchOptions, type Figure, type Round } from './figure.ts';
import { startPlane, type BenchPlane } from './plane.ts';
import { maskedFrame, startPeer, type Peer } from './wire.ts';

const CLIENTS = 2;

const share = <T>(items: readonly T[], parts: number, part: number): T[] => items.filter((_, i) => i % parts === part);

const storedAll = async ({ plane: { context } }: BenchPlane, serial: number, devices: number): Promise<boolean> => {
  const { rows } = await context.pool.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM device_status WHERE serial = $1 AND phase = 'enforced'`,
    [serial],
  );
  return rows[0]?.n === devices;
};

/** @returns milliseconds until the server had the last acknowledgement, and until all were committed */
const productRound = async (
  bench: BenchPlane,
  devices: number,
  proposal: string,
): Promise<{ acked: number; stored: number; frame: Buffer; reply: number }> => {
  const { context } = bench.plane;
  const { hub, published } = context;
  if (!(hub instanceof SessionHub)) throw new Error('not the hub of the gateway');
  const sessions = [...hub.sessions()];
  const start = performance.now();
  const { serial, devices: reached } = await publish(context, { title: 'bench', actor: 'bench', proposal });
  if (reached !== devices) throw new Error(`the publish reached ${reached} of ${devices} devices`);
  const [cohort] = [...published.cohorts.values()].filter((candidate) => candidate.serial === serial);
  if (cohort === undefined) throw new Error('the publish changed no cohort');
  for (let next = 0; next < sessions.length;) {
    while (next < sessions.length && sessions[next]?.held === cohort.digest) next += 1;
    if (next < sessions.length) await breathe();
  }
  const acked = performance.now() - start;
  while (!(await storedAll(bench, serial, devices))) await wait(5);
  const stored = performance.now() - start;
  const state = published.stateFrame(cohort.id, true);
  if (state === undefined) throw new Error('no state');
  const reply = maskedFrame(
    JSON.stringify({ type: 'ack', epoch: published.checkpoint?.epoch ?? 0, serial, digest: cohort.digest, phase: 'enforced' }),
  ).length;
  return { acked, stored, frame: downFrame(state), reply };
};

const floorRound = async (floor: Peer, frame: Buffer, reply: number): Promise<number> => {
  const begun = floor.ask<{ start: number }>({ op: 'broadcast', frame, reply }, 'begin');
  const ended = new Promise<{ end: number }>((resolve) => {
    const listener = (message: { op: string; end: number }): void => {
      if (message.op !== 'broadcast') return;
      floor.process.off('message', listener);
      resolve(message);
    };
    floor.process.on('message', listener);
  });
  return ((await ended).end - (await begun).start) / 1000;
};

export const run = async ({ devices, rounds, say, signal }: BenchOptions): Promise<readonly Figure[]> => {
  say(`push: a control plane with ${devices} devices, ${CLIENTS} client processes`);
  const floor = startPeer('floor-server.ts');
  const listening = new Promise<number>((resolve) => floor.process.once('message', (message: { port: number }) => resolve(message.port)));
  const bench = await startPlane(devices);
  const clients = Array.from({ length: CLIENTS }, () => startPeer('simulated-devices.ts'));
  try {
    const floorPort = await listening;
    const tickets = bench.tickets();
    const connectAll = (pool: string, port: number, hello: boolean): Promise<unknown> =>
      Promise.all(clients.map((client, i) => client.ask({ op: 'connect', pool, port, hello, tickets: share(tickets, CLIENTS, i) })));
    await connectAll('product', bench.port, true);
    await connectAll('floor', floorPort, false);
    say(`push: ${bench.plane.context.hub.connected} connected`);
    const acked: Round[] = [];
    const stored: Round[] = [];
    // The first round warms both and is not counted.
    for (let i = 0; i <= rounds; i += 1) {
      signal.throwIfAborted();
      const proposal = await bench.revise(i + 1);
      await wait(1500);
      const product = await productRound(bench, devices, proposal);
      await wait(1500);
      const bare = await floorRound(floor, product.frame, product.reply);
      say(
        `push: round ${i}: acknowledged ${product.acked.toFixed(0)} ms, stored ${product.stored.toFixed(0)} ms, floor ${bare.toFixed(0)} ms (${product.frame.length} bytes)`,
      );
      if (i === 0) continue;
      acked.push({ product: product.acked, floor: bare });
      stored.push({ product: product.stored, floor: bare });
    }
    return [figure('push.last-ack', 'ms', acked), figure('push.stored', 'ms', stored)];
  } finally {
    for (const peer of [...clients, floor]) peer.end();
    await bench.close();
  }
};
