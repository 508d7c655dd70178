/** `memory.idle-device`: resident memory of the server for each idle, greeted connection; its floor is bare `ws` with the same clients. A fresh process each time. */
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { figure, type BenchOptions, type Figure, type Round } from './figure.ts';
import { startPeer } from './wire.ts';

const KIB = 1024;

/** @returns KiB a connection */
const measure = async (mode: 'product' | 'bare', devices: number): Promise<number> => {
  const server = startPeer('memory-server.ts', ['--expose-gc']);
  const client = startPeer('simulated-devices.ts');
  try {
    const { port, tickets } = await server.ask<{ port: number; tickets: string[] }>({ op: 'start', mode, devices });
    await wait(1000);
    const before = await server.ask<{ rss: number }>({ op: 'memory' });
    await client.ask({ op: 'connect', pool: mode, port, hello: mode === 'product', tickets });
    await wait(3000);
    const after = await server.ask<{ rss: number }>({ op: 'memory' });
    return (after.rss - before.rss) / KIB / devices;
  } finally {
    client.end();
    server.process.kill('SIGTERM');
    if (server.process.exitCode === null && server.process.signalCode === null) await once(server.process, 'exit');
  }
};

export const run = async ({ devices, rounds, say }: BenchOptions): Promise<readonly Figure[]> => {
  const results: Round[] = [];
  for (let i = 0; i < rounds; i += 1) {
    const product = await measure('product', devices);
    const floor = await measure('bare', devices);
    say(`memory: round ${i + 1}: ${product.toFixed(2)} KiB a device, bare ws ${floor.toFixed(2)} KiB`);
    results.push({ product, floor });
  }
  return [figure('memory.idle-device', 'KiB', results)];
};
