/** Two connections as one: both directions with backpressure, every byte counted, and each side's end is the other's once what was sent before it has arrived. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Budget } from './budget.ts';
import { LIMITS } from './limits.ts';

/** As `pipe`, and counted in the same step. */
const pump = (from: Duplex, to: Duplex, spend: (bytes: number) => void): void => {
  from.on('data', (chunk: Buffer) => {
    spend(chunk.length);
    if (!to.destroyed && !to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.once('end', () => to.end());
};

/** @returns what lets them flow, beginning with what the client has said already */
export const join = (client: Duplex, upstream: Socket, budget: Budget): ((first: Buffer) => void) => {
  upstream.on('error', () => client.destroy());
  upstream.on('close', (broken) => {
    if (broken || client.destroyed) return void client.destroy();
    client.end();
    client.resume(); // nobody takes what it still says
    const linger = setTimeout(() => client.destroy(), LIMITS.lingerMs);
    client.once('close', () => clearTimeout(linger));
  });
  client.on('close', () => (client.readableEnded ? upstream.destroySoon() : upstream.destroy()));
  return (first) => {
    if (first.length > 0) {
      budget.spend('up', first.length);
      upstream.write(first);
    }
    pump(client, upstream, (bytes) => budget.spend('up', bytes));
    pump(upstream, client, (bytes) => budget.spend('down', bytes));
  };
};
