/** All tunnels of this replica. In each of them the channel's own upgrade happens, by an HTTP server that listens nowhere. */
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { Tunnel } from './tunnel.ts';

/** Tunnels at once: a device of a fleet whose network lets WebSockets through has none. */
const MOST = 20_000;
/** Without a request for so long, the device is gone: it asks anew within `pollSeconds` of each answer. */
const SILENT_MS = 60_000;
const SWEEP_MS = 5000;
const HANDSHAKE_MS = 10_000;

export type Upgrade = (request: http.IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface Tunnels {
  /** @returns the new tunnel's id, a secret; undefined when there are too many */
  open(): string | undefined;
  of(id: string): Tunnel | undefined;
  readonly size: number;
  close(): void;
}

export const createTunnels = (upgrade: Upgrade): Tunnels => {
  const tunnels = new Map<string, Tunnel>();
  // Whatever else a device may ask in a tunnel, nobody answers it.
  const server = http.createServer(
    { headersTimeout: HANDSHAKE_MS, requestTimeout: HANDSHAKE_MS, maxHeaderSize: 8192 },
    (_request, response) => {
      response.writeHead(404, { connection: 'close' }).end();
    },
  );
  server.on('upgrade', upgrade);
  const sweep = setInterval(() => {
    const now = performance.now();
    for (const tunnel of tunnels.values()) if (now - tunnel.heardAt > SILENT_MS) tunnel.destroy();
  }, SWEEP_MS);
  sweep.unref();
  return {
    get size() {
      return tunnels.size;
    },
    of: (id) => tunnels.get(id),
    open: () => {
      if (tunnels.size >= MOST) return undefined;
      const id = randomBytes(32).toString('base64url');
      const tunnel = new Tunnel(performance.now());
      tunnels.set(id, tunnel);
      tunnel.on('error', () => tunnel.destroy());
      // What it still holds can be fetched for a moment; the sweep ends that.
      tunnel.once('close', () => setTimeout(() => tunnels.delete(id), SWEEP_MS).unref());
      server.emit('connection', tunnel);
      return id;
    },
    close: () => {
      clearInterval(sweep);
      for (const tunnel of tunnels.values()) tunnel.destroy();
      tunnels.clear();
      server.close();
    },
  };
};
