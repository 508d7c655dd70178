/** Two connections as one: both directions with backpressure, every byte counted, and each side's end is the other's once what was sent before it has arrived. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Budget } from './budget.ts';
import { LIMITS } from './limits.ts';

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
    client.on('data', (chunk: Buffer) => budget.spend('up', chunk.length));
    upstream.on('data', (chunk: Buffer) => budget.spend('down', chunk.length));
    if (first.length > 0) {
      budget.spend('up', first.length);
      upstream.write(first);
    }
    client.pipe(upstream);
    upstream.pipe(client);
  };
};
