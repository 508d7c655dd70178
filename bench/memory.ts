/**
 * `memory.idle-device`: resident memory of the server for each idle, greeted connection; its floor is bare `ws` with the same clients. A fresh process each time. What is counted is
 * the second half of the connections: the first fills what a process has free after its start, which says nothing about a connection.
 */
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { figure, type BenchOptions, type Figure, type Round } from './figure.ts';
import { startPeer } from './wire.ts';

const KIB = 1024;
const SETTLE_MS = 3000;

/** @returns KiB a connection */
const measure = async (mode: 'product' | 'bare', devices: number): Promise<number> => {
  const server = startPeer('memory-server.ts', ['--expose-gc']);
  const client = startPeer('simulated-devices.ts');
  try {
    const { port, tickets } = await server.ask<{ port: number; tickets: string[] }>({ op: 'start', mode, devices });
    const half = tickets.length >> 1;
    const residentAfter = async (pool: string, some: readonly string[]): Promise<number> => {
      await client.ask({ op: 'connect', pool, port, hello: mode === 'product', tickets: some });
      await wait(SETTLE_MS);
      return (await server.ask<{ rss: number }>({ op: 'memory' })).rss;
    };
    const before = await residentAfter('first', tickets.slice(0, half));
    const after = await residentAfter('second', tickets.slice(half));
    return (after - before) / KIB / (tickets.length - half);
  } finally {
    client.end();
    server.process.kill('SIGTERM');
    if (server.process.exitCode === null && server.process.signalCode === null) await once(server.process, 'exit');
  }
};

export const run = async ({ devices, rounds, say, signal }: BenchOptions): Promise<readonly Figure[]> => {
  const results: Round[] = [];
  for (let i = 0; i < rounds; i += 1) {
    signal.throwIfAborted();
    const product = await measure('product', devices);
    signal.throwIfAborted();
    const floor = await measure('bare', devices);
    say(`memory: round ${i + 1}: ${product.toFixed(2)} KiB a device, bare ws ${floor.toFixed(2)} KiB`);
    results.push({ product, floor });
  }
  return [figure('memory.idle-device', 'KiB', results)];
};
