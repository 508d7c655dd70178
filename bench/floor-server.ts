/** The floor of a push: node:http for the upgrade, then one `socket.write` of ready bytes to each connection, and a count of what comes back. */
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import { acceptKey, micros } from './wire.ts';

const sockets = new Set<Duplex>();
let left = 0;
let wanted = 0;
let got = new Map<Duplex, number>();
const tell = (message: object): void => void process.send?.(message);

const server = http.createServer();
server.on('upgrade', (request, socket) => {
  socket.on('error', () => socket.destroy());
  socket.on('close', () => sockets.delete(socket));
  socket.on('data', (chunk: Buffer) => {
    const sum = (got.get(socket) ?? 0) + chunk.length;
    got.set(socket, sum);
    if (sum === wanted && --left === 0) tell({ op: 'broadcast', end: micros() });
  });
  sockets.add(socket);
  const key = request.headers['sec-websocket-key'] ?? '';
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`,
  );
});

process.on('message', (message: { op: string; frame: Uint8Array; reply: number }) => {
  if (message.op !== 'broadcast') return;
  const frame = Buffer.from(message.frame);
  got = new Map();
  left = sockets.size;
  wanted = message.reply;
  tell({ op: 'begin', start: micros() });
  for (const socket of sockets) socket.write(frame);
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  const address = server.address();
  tell({ op: 'listening', port: typeof address === 'object' ? address?.port : undefined });
});
