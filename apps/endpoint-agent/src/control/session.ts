/** A session: a signed challenge for a single-use ticket, and the ticket for a WebSocket of the subprotocol `cordon.v1`, by whichever way the network lets through. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';
import WebSocket from 'ws';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_FRAME_DOWN } from '@cordon/policy/protocol/channel.ts';
import { ChallengeReply, SessionReply } from '@cordon/policy/protocol/enrollment.ts';
import { agreed, PROTOCOL_HEADER, SPOKEN, SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { call, checkServer } from '../identity/device-api.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import type { JoinFile } from '../identity/join-file.ts';
import type { Network } from '../network/network.ts';
import type { Opened } from './channel.ts';
import { openTunnel } from './tunnel.ts';
import type { Ways } from './ways.ts';

const Challenge = Compile(ChallengeReply);
const Session = Compile(SessionReply);
const HANDSHAKE_MS = 10_000;
/** The server's first frame comes with the upgrade: a channel without it leads nowhere, whoever took it. */
const WELCOME_MS = 15_000;

export interface SessionParts {
  readonly enrollment: Pick<Enrollment, 'server' | 'org' | 'device'>;
  readonly key: KeyPair;
  readonly joins: JoinFile;
  readonly network: Network;
  readonly ways: Ways;
  readonly clock: () => number;
  readonly random: () => number;
  readonly log: (message: string) => void;
  /** Gives the attempt up. */
  readonly signal: AbortSignal;
}

/** A ticket, or the number that the control plane knows already. */
const ask = async ({ enrollment, key, joins, network, signal }: SessionParts): Promise<Static<typeof SessionReply>> => {
  const { server, org, device } = enrollment;
  const means = { network, signal };
  const { nonce } = await call(server, '/agent/v1/session/challenge', { device }, Challenge, means);
  const proof = await signCompact({ org, device, nonce, join: joins.attempt() }, 'cordon-session+jws', key);
  return call(server, '/agent/v1/session', { device, proof }, Session, means);
};

/** A state that was put back counts on from where the control plane is; that it was put back shows there. @throws CordonError `session.behind` */
const ticketFor = async (parts: SessionParts): Promise<string> => {
  const first = await ask(parts);
  if ('ticket' in first) return first.ticket;
  if (parts.joins.raise(first.behind)) {
    const second = await ask(parts);
    if ('ticket' in second) return second.ticket;
  }
  throw new CordonError('session.behind', 'the control plane counts sessions that this device never had', { retryable: true });
};

/** A refusal in our own words comes from the control plane, so the way to it is open. */
const isOurs = ({ headers }: IncomingMessage): boolean => (headers['content-type'] ?? '').startsWith('application/problem+json');

/** @throws CordonError `server.unreachable`, `server.version` */
const upgrade = (url: URL, ticket: string, stream: Duplex | undefined, { network, signal, ways, clock }: SessionParts): Promise<Opened> => {
  const socket = new WebSocket(url, [SUBPROTOCOL], {
    headers: { authorization: `Bearer ${ticket}` },
    // Only the server compresses: nothing that is sent from here reaches the threshold.
    perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: Number.MAX_SAFE_INTEGER },
    maxPayload: MAX_FRAME_DOWN,
    handshakeTimeout: HANDSHAKE_MS,
    followRedirects: false,
    ...(stream === undefined ? { agent: network.agentFor(url) } : { createConnection: () => stream }),
  });
  const giveUp = (): void => socket.terminate();
  signal.addEventListener('abort', giveUp, { once: true });
  return new Promise<Opened>((resolve, reject) => {
    let isOver = false;
    const refuse = (why: string, isNetwork: boolean, cause?: unknown): void => {
      if (isOver) return;
      isOver = true;
      if (stream === undefined && isNetwork && !signal.aborted) ways.failed(clock());
      reject(new CordonError('server.unreachable', `the channel did not open: ${why}`, { retryable: true, cause }));
    };
    let protocol: number | undefined;
    socket.once('upgrade', ({ headers }) => {
      protocol = agreed(headers[PROTOCOL_HEADER]);
    });
    socket.once('open', () => {
      // What came with the upgrade waits for whoever listens.
      socket.pause();
      if (protocol !== undefined) return resolve({ socket, protocol });
      isOver = true;
      socket.terminate();
      reject(
        new CordonError(
          'server.version',
          `the control plane speaks none of the versions ${SPOKEN}: update this device, or the control plane`,
          { retryable: true },
        ),
      );
    });
    socket.once('unexpected-response', (request, response) => {
      refuse(`the answer was ${response.statusCode ?? 0}`, !isOurs(response));
      request.destroy();
    });
    // Stays: what is destroyed tells of it.
    socket.on('error', (cause) => refuse(cause.message, true, cause));
  }).finally(() => signal.removeEventListener('abort', giveUp));
};

/** Ends a channel on which nothing is heard, and tells whether this way works. */
const watchFirstFrame = (socket: WebSocket, isTunnel: boolean, { ways, clock }: SessionParts): void => {
  const silent = setTimeout(() => socket.terminate(), WELCOME_MS);
  let heard = false;
  socket.once('message', () => {
    heard = true;
    clearTimeout(silent);
    if (!isTunnel) ways.worked();
  });
  socket.once('close', () => {
    clearTimeout(silent);
    if (!heard && !isTunnel) ways.failed(clock());
  });
};

/** @throws CordonError `server.*`, `session.behind`, or the server's own code */
export const openSession = async (parts: SessionParts): Promise<Opened> => {
  const { enrollment, joins, network, ways, clock, random, log, signal } = parts;
  const isTunnel = ways.next(clock()) === 'tunnel';
  const ticket = await ticketFor(parts);
  const url = new URL('/agent/v1/channel', checkServer(enrollment.server));
  // What the tunnel itself goes through is encrypted; inside there is nobody else.
  url.protocol = url.protocol === 'https:' && !isTunnel ? 'wss:' : 'ws:';
  const stream = isTunnel
    ? await openTunnel(enrollment.server, ticket, { network, signal }).catch((error: unknown) => {
        if (error instanceof CordonError && error.code === 'request.not-found') ways.absent();
        throw error;
      })
    : undefined;
  const opened = await upgrade(url, ticket, stream, parts);
  const { socket } = opened;
  joins.confirmed();
  watchFirstFrame(socket, isTunnel, parts);
  if (isTunnel) {
    log('the network lets no WebSocket through: the channel goes by plain requests');
    const back = setTimeout(() => socket.close(1000), ways.stay(random()));
    socket.once('close', () => clearTimeout(back));
  }
  return opened;
};
