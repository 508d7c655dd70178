/** A session: a signed challenge for a single-use ticket, and the ticket for a WebSocket of the subprotocol `cordon.v1`. */
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

const Challenge = Compile(ChallengeReply);
const Session = Compile(SessionReply);

/** @param signal gives the attempt up. @throws CordonError `server.*`, or the server's own code */
export const openSession = async (enrollment: Enrollment, key: KeyPair, signal: AbortSignal): Promise<WebSocket> => {
  const { server, org, device } = enrollment;
  const { nonce } = await call(server, '/agent/v1/session/challenge', { device }, Challenge, signal);
  const proof = await signCompact({ org, device, nonce }, 'cordon-session+jws', key);
  const { ticket } = await call(server, '/agent/v1/session', { device, proof }, Session, signal);
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
    socket.once('open', () => resolve(socket));
    socket.once('error', (cause) =>
      reject(new CordonError('server.unreachable', `the channel did not open: ${cause.message}`, { retryable: true, cause })),
    );
  }).finally(() => signal.removeEventListener('abort', giveUp));
};
