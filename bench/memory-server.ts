/** One server in a fresh process, for its memory: the product, or `ws` and nothing else. Started with --expose-gc. */
import http from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import { SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import { startPlane } from './plane.ts';

const tell = (message: object): void => void process.send?.(message);

const bare = async (devices: number): Promise<void> => {
  const tickets = new Set(Array.from({ length: devices }, (_, i) => `bench-ticket-${i}`));
  const open = new Set<WebSocket>();
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: 262_144,
    handleProtocols: () => SUBPROTOCOL,
  });
  const server = http.createServer();
  server.on('upgrade', (request, socket, head) => {
    if (!tickets.has((request.headers.authorization ?? '').slice(7))) return socket.destroy();
    sockets.handleUpgrade(request, socket, head, (ws) => {
      open.add(ws);
      ws.on('message', () => undefined);
      ws.on('error', () => undefined);
      ws.on('close', () => open.delete(ws));
    });
  });
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, resolve));
  const address = server.address();
  tell({ op: 'start', port: typeof address === 'object' ? address?.port : undefined, tickets: [...tickets] });
};

const MIB = 1024 * 1024;

/** Resident memory once V8 has given back what it keeps for later: it does so over several collections. */
const settled = async (): Promise<number> => {
  let least = Number.POSITIVE_INFINITY;
  for (let unchanged = 0; unchanged < 4;) {
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    await wait(250);
    const rss = process.memoryUsage.rss();
    unchanged = rss > least - MIB / 4 ? unchanged + 1 : 0;
    least = Math.min(least, rss);
  }
  return least;
};

process.on('message', (message: { op: string; mode: string; devices: number }) => {
  if (message.op === 'start' && message.mode === 'bare') void bare(message.devices);
  else if (message.op === 'start') {
    void startPlane(message.devices).then((bench) => {
      process.once('SIGTERM', () => void bench.close().then(() => process.exit(0)));
      tell({ op: 'start', port: bench.port, tickets: bench.tickets() });
    });
  } else if (message.op === 'memory') {
    void settled().then((rss) => tell({ op: 'memory', rss }));
  }
});
