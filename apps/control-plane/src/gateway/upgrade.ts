/** The WebSocket upgrade: ticket, subprotocol, no browser; then a session. Refusals are plain HTTP with a stable code. */
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { CLOSE, MAX_FRAME_UP } from '@cordon/policy/protocol/channel.ts';
import { PROTOCOL_HEADER, SPOKEN, SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Ticket } from '../auth/tickets.ts';
import type { Context } from '../context.ts';
import { HEARTBEAT_SECONDS } from './heartbeat.ts';
import type { Arrivals, Verdict } from './arrivals.ts';
import type { SessionHub } from './hub.ts';
import type { Receiver } from './receive.ts';
import { Channel, Session } from './session.ts';
import { COMPRESSION, takesCompression } from './compression.ts';

export const CHANNEL_PATH = '/agent/v1/channel';
/** A device sends whole messages; more pieces than this are an attack on the memory that holds them. */
const MAX_FRAGMENTS = 64;
const MAX_CHUNKS = 1024;
/** Sessions that may be between upgrade and hello at once: beyond it, pushes to those connected go first. */
const ADMISSION = 4000;

const refuse = (socket: Duplex, status: number, code: string, detail: string): void => {
  const body = JSON.stringify({
    type: `urn:cordon:problem:${code}`,
    title: http.STATUS_CODES[status],
    status,
    code,
    detail,
    instance: CHANNEL_PATH,
  });
  const retry = status === 503 ? 'Retry-After: 5\r\n' : '';
  // Who does not close the other half would keep it open for ever.
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ''}\r\nConnection: close\r\n${retry}Content-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
};

const REFUSALS: Readonly<Record<Exclude<Verdict, 'open'>, readonly [number, string, string]>> = {
  used: [
    401,
    'channel.ticket',
    'send a fresh session ticket as Authorization: Bearer TICKET; each is good for one upgrade within 60 seconds, and none once a later session was opened',
  ],
  ended: [403, 'device.revoked', 'this device, or this key of it, has no session here any more'],
};

/** @returns what is wrong with the request before any ticket is looked at */
const faultOf = ({ url, headers }: http.IncomingMessage): readonly [number, string, string] | undefined => {
  if (url !== CHANNEL_PATH) return [404, 'request.not-found', `the channel is at ${CHANNEL_PATH}`];
  if (headers.origin !== undefined) return [403, 'channel.origin', 'browsers are not served here'];
  if (headers['sec-websocket-protocol'] !== SUBPROTOCOL)
    return [400, 'channel.subprotocol', `ask for exactly the subprotocol ${SUBPROTOCOL}`];
  return undefined;
};

interface Parts {
  readonly context: Pick<Context, 'tickets' | 'clock' | 'log'>;
  readonly hub: SessionHub;
  readonly arrivals: Arrivals;
  readonly receiver: Receiver;
}

/** @returns a listener for the HTTP server's `upgrade` event */
export const createUpgrade = ({
  context,
  hub,
  arrivals,
  receiver,
}: Parts): ((request: http.IncomingMessage, socket: Duplex, head: Buffer) => void) => {
  const { tickets, clock, log } = context;
  const server = new WebSocketServer({
    noServer: true,
    WebSocket: Channel,
    maxPayload: MAX_FRAME_UP,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_CHUNKS,
    autoPong: false,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: () => SUBPROTOCOL,
  });

  // The library is not told: it would take compressed frames from devices too, and what they inflate to.
  server.on('headers', (headers, request) => {
    headers.push(`${PROTOCOL_HEADER}: ${SPOKEN}`);
    if (takesCompression(request.headers['sec-websocket-extensions'])) headers.push(`Sec-WebSocket-Extensions: ${COMPRESSION}`);
  });

  // Shared by all connections: nothing is closed over for each.
  const sessionOf = (channel: WebSocket): Session | undefined => (channel instanceof Channel ? channel.session : undefined);
  const onMessage = function (this: WebSocket, data: RawData, binary: boolean): void {
    const session = sessionOf(this);
    if (session !== undefined && Buffer.isBuffer(data)) receiver.receive(session, data, binary);
  };
  const onPong = function (this: WebSocket): void {
    const session = sessionOf(this);
    if (session !== undefined) session.heardAt = performance.now();
  };
  /** Pings count as messages, and get no pong while earlier bytes wait: answers must not pile up for who does not read. */
  const onPing = function (this: WebSocket, data: Buffer): void {
    const session = sessionOf(this);
    if (session === undefined) return;
    session.heardAt = performance.now();
    if (!session.admit(session.heardAt)) session.close(CLOSE.rate, 'channel.rate');
    else if (session.open && session.socket.writableLength === 0) this.pong(data);
  };
  const onError = function (this: WebSocket, error: Error): void {
    log.info({ err: error, device: sessionOf(this)?.device }, 'a channel broke');
  };
  const onClose = function (this: WebSocket): void {
    const session = sessionOf(this);
    if (session !== undefined) hub.remove(session);
  };

  const open = ({ device, join }: Ticket, channel: Channel, socket: Duplex, inflates: boolean): void => {
    const session = new Session(device, join.count, channel, socket, inflates, performance.now());
    channel.session = session;
    channel.on('message', onMessage);
    channel.on('pong', onPong);
    channel.on('ping', onPing);
    channel.on('error', onError);
    channel.on('close', onClose);
    hub.add(session);
    session.send({
      type: 'welcome',
      session: randomBytes(12).toString('base64url'),
      nonce: session.nonce,
      time: clock().toISOString(),
      heartbeatSeconds: HEARTBEAT_SECONDS,
    });
  };

  const admit = async (request: http.IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const presented = /^Bearer ([A-Za-z0-9_-]{1,512})$/.exec(request.headers.authorization ?? '')?.[1];
    const ticket = presented === undefined ? undefined : tickets.read(presented);
    if (ticket === undefined) return refuse(socket, ...REFUSALS.used);
    await arrivals.admit(
      ticket,
      () => {
        if (socket.destroyed) return;
        const inflates = takesCompression(request.headers['sec-websocket-extensions']);
        server.handleUpgrade(request, socket, head, (channel) => open(ticket, channel, socket, inflates));
      },
      (verdict) => refuse(socket, ...REFUSALS[verdict]),
    );
  };

  return (request, socket, head) => {
    socket.on('error', onSocketError);
    const fault = faultOf(request);
    if (fault !== undefined) return refuse(socket, ...fault);
    if (hub.waiting + arrivals.waiting >= ADMISSION)
      return refuse(socket, 503, 'channel.busy', 'too many devices are connecting; try again after a random time');
    admit(request, socket, head)
      .catch((error: unknown) => {
        log.warn({ err: error }, 'a channel could not be opened');
        refuse(socket, 503, 'db.unavailable', 'the session cannot be checked now; try again');
      })
      .finally(() => socket.off('error', onSocketError));
  };
};

const onSocketError = function (this: Duplex): void {
  this.destroy();
};
