/** A session: a signed challenge for a single-use ticket, and the ticket for a WebSocket of the subprotocol `cordon.v1`. */
import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';
import WebSocket from 'ws';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_FRAME_DOWN } from '@cordon/policy/protocol/channel.ts';
import { ChallengeReply, SessionReply } from '@cordon/policy/protocol/enrollment.ts';
import { SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { call, checkServer } from '../identity/device-api.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import type { JoinFile } from '../identity/join-file.ts';

const Challenge = Compile(ChallengeReply);
const Session = Compile(SessionReply);

/** A ticket, or the number that the control plane knows already. */
const ask = async (enrollment: Enrollment, key: KeyPair, joins: JoinFile, signal: AbortSignal): Promise<Static<typeof SessionReply>> => {
  const { server, org, device } = enrollment;
  const { nonce } = await call(server, '/agent/v1/session/challenge', { device }, Challenge, signal);
  const proof = await signCompact({ org, device, nonce, join: joins.attempt() }, 'cordon-session+jws', key);
  return call(server, '/agent/v1/session', { device, proof }, Session, signal);
};

/** A state that was put back counts on from where the control plane is; that it was put back shows there. @throws CordonError `session.behind` */
const ticketFor = async (...parts: Parameters<typeof ask>): Promise<string> => {
  const [, , joins] = parts;
  const first = await ask(...parts);
  if ('ticket' in first) return first.ticket;
  if (joins.raise(first.behind)) {
    const second = await ask(...parts);
    if ('ticket' in second) return second.ticket;
  }
  throw new CordonError('session.behind', 'the control plane counts sessions that this device never had', { retryable: true });
};

/** @param signal gives the attempt up. @throws CordonError `server.*`, `session.behind`, or the server's own code */
export const openSession = async (enrollment: Enrollment, key: KeyPair, joins: JoinFile, signal: AbortSignal): Promise<WebSocket> => {
  const { server } = enrollment;
  const ticket = await ticketFor(enrollment, key, joins, signal);
  const url = new URL('/agent/v1/channel', checkServer(server));
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, [SUBPROTOCOL], {
    headers: { authorization: `Bearer ${ticket}` },
    // Only the server compresses: nothing that is sent from here reaches the threshold.
    perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: Number.MAX_SAFE_INTEGER },
    maxPayload: MAX_FRAME_DOWN,
    handshakeTimeout: 10_000,
    followRedirects: false,
  });
  const giveUp = (): void => socket.terminate();
  signal.addEventListener('abort', giveUp, { once: true });
  return new Promise<WebSocket>((resolve, reject) => {
    socket.once('open', () => {
      joins.confirmed();
      resolve(socket);
    });
    socket.once('error', (cause) =>
      reject(new CordonError('server.unreachable', `the channel did not open: ${cause.message}`, { retryable: true, cause })),
    );
  }).finally(() => signal.removeEventListener('abort', giveUp));
};
