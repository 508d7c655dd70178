/**
 * The egress proxy beside the barest CONNECT relay in Node; both are processes of their own on a Unix socket, and lead to the same server on loopback.
 * `proxy.throughput`: megabytes a second through one tunnel, down and then up, after a TLS hello. `proxy.latency`: milliseconds from the connection to the first byte
 * of the server's answer through a new tunnel, with rules, lookup, checked address, comparison of the hello and the report to the daemon; what the proxy adds is the
 * difference to the floor. `proxy.exchange`: one message there and back through a tunnel that is open.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { compileBubblewrap } from '@cordon/policy/compile/bubblewrap.ts';
import { startEgress, type Egress } from '../apps/endpoint-agent/src/egress/egress.ts';
import { effectiveOf } from '../apps/endpoint-agent/tests/_policy.ts';
import { figure, median, type BenchOptions, type Figure, type Round } from './figure.ts';

const HOST = 'bench.example';
const BYTES = 192 * 1024 * 1024;
const TUNNELS = 200;
const EXCHANGES = 500;
const CHUNK = Buffer.alloc(65_536, 1);

/** The first bytes of a TLS client that names the host. */
const helloFor = async (): Promise<Buffer> => {
  const taker = net.createServer();
  taker.listen(0, '127.0.0.1');
  await once(taker, 'listening');
  const client = tls.connect({ port: (taker.address() as net.AddressInfo).port, host: '127.0.0.1', servername: HOST });
  client.on('error', () => undefined);
  const [socket] = (await once(taker, 'connection')) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  taker.close();
  return hello;
};

const pour = (socket: net.Socket, bytes: number): void => {
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
      left -= chunk.length;
      if (!socket.write(chunk)) return void socket.once('drain', more);
    }
  };
  more();
};

/** @returns when so many bytes have come */
const drain = (socket: net.Socket, bytes: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let left = bytes;
    socket.once('close', () => reject(new Error('the tunnel closed')));
    socket.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left <= 0) resolve();
    });
    socket.resume();
  });

/** The next of what it says; a tunnel waits until somebody listens. */
const next = (socket: net.Socket): Promise<unknown> => {
  const said = once(socket, 'data');
  socket.resume();
  return said;
};

/** Answers the hello with what the byte after it asks for: d sends, u takes, e gives back. */
const serve = (hello: number): net.Server =>
  net.createServer((socket) => {
    socket.setNoDelay(true).on('error', () => socket.destroy());
    let seen = 0;
    const first = (chunk: Buffer): void => {
      const wish = chunk[hello - seen];
      seen += chunk.length;
      if (wish === undefined) return;
      socket.off('data', first);
      if (wish === 0x64) pour(socket, BYTES);
      else if (wish === 0x75)
        void drain(socket, BYTES).then(
          () => socket.write('.'),
          () => socket.destroy(),
        );
      else socket.on('data', (data) => socket.write(data)).write('.');
    };
    socket.on('data', first);
  });

interface Path {
  /** @returns a tunnel whose hello, and the wish behind it, are on their way */
  open(wish: string): Promise<net.Socket>;
}

const through = (socketPath: string, authority: string, hello: Buffer): Path => ({
  open: async (wish) => {
    const socket = net.connect(socketPath);
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!answer.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(`no tunnel: ${answer.toString('latin1')}`);
    socket.pause();
    socket.write(Buffer.concat([hello, Buffer.from(wish)]));
    return socket;
  },
});

const timed = async (work: () => Promise<void>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

/** @returns megabytes a second, both directions together */
const throughput = async ({ open }: Path): Promise<number> => {
  const down = await open('d');
  const up = await open('u');
  const ms = await timed(async () => {
    await drain(down, BYTES);
    const taken = next(up);
    pour(up, BYTES);
    await taken;
  });
  for (const socket of [down, up]) socket.destroy();
  return (2 * BYTES) / 1e6 / (ms / 1000);
};

const latency = async ({ open }: Path): Promise<number> => {
  const times: number[] = [];
  for (let i = 0; i < TUNNELS; i += 1) {
    let socket: net.Socket | undefined;
    times.push(
      await timed(async () => {
        socket = await open('e');
        await next(socket);
      }),
    );
    socket?.destroy();
  }
  return median(times);
};

const exchange = async ({ open }: Path): Promise<number> => {
  const socket = await open('e');
  await next(socket);
  const times: number[] = [];
  for (let i = 0; i < EXCHANGES; i += 1)
    times.push(
      await timed(async () => {
        const back = next(socket);
        socket.write('ping');
        await back;
      }),
    );
  socket.destroy();
  return median(times);
};

const FIGURES = [
  { name: 'proxy.throughput', unit: 'MB/s', measure: throughput },
  { name: 'proxy.latency', unit: 'ms', measure: latency },
  { name: 'proxy.exchange', unit: 'ms', measure: exchange },
] as const;

interface Paths {
  readonly product: Path;
  readonly floor: Path;
}

const compare = async ({ product, floor }: Paths, { rounds, say, signal }: BenchOptions): Promise<readonly Figure[]> => {
  const figures: Figure[] = [];
  for (const { name, unit, measure } of FIGURES) {
    const results: Round[] = [];
    // The first round warms both and is not counted.
    for (let i = 0; i <= rounds; i += 1) {
      signal.throwIfAborted();
      const result = { product: await measure(product), floor: await measure(floor) };
      const added = unit === 'ms' ? `, added ${(result.product - result.floor).toFixed(3)} ms` : '';
      say(`${name}: round ${i}: ${result.product.toFixed(3)} ${unit}, floor ${result.floor.toFixed(3)} ${unit}${added}`);
      if (i > 0) results.push(result);
    }
    figures.push(figure(name, unit, results));
  }
  return figures;
};

export const run = async (options: BenchOptions): Promise<readonly Figure[]> => {
  options.say('proxy: the egress process, and a bare relay');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-bench-'));
  let egress: Egress | undefined;
  let relay: ChildProcess | undefined;
  const hello = await helloFor();
  const server = serve(hello.length).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    egress = await startEgress({ runtimeDir: folder, hosts: { [HOST]: '127.0.0.1' }, onDecision: () => undefined });
    const policy = effectiveOf(`allow: { network: { hosts: [{ host: ${HOST}, ports: [${port}], private: true }] } }`);
    const { egress: rules } = compileBubblewrap(policy, { exists: () => true, isDirectory: () => true, installation: [] });
    const { socket } = await egress.open('run_bench', rules, egress.account);
    const bare = path.join(folder, 'bare.sock');
    relay = fork(path.join(import.meta.dirname, 'floor-relay.ts'), [bare], { execArgv: ['--disable-warning=ExperimentalWarning'] });
    await once(relay, 'message');
    return await compare({ product: through(socket, `${HOST}:${port}`, hello), floor: through(bare, `127.0.0.1:${port}`, hello) }, options);
  } finally {
    egress?.stop();
    relay?.kill('SIGKILL');
    server.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
};
