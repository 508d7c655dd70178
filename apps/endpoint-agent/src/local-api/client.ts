/** The command's side of the local API. */
import fs from 'node:fs';
import net from 'node:net';
import { CordonError } from '@cordon/policy/errors.ts';
import type { AgentConfig } from '../config.ts';
import { createDecoder, encodeControl, KIND, socketFor, type Kind, type Reply, type Request } from './protocol.ts';

type Places = Pick<AgentConfig, 'runSocket' | 'runtimeDir'> & Partial<Pick<AgentConfig, 'systemRuntime'>>;

/** Where this process asks: inside a run at its door, else at the socket of its account: of a daemon of its own, or of the machine's. */
export const ownSocket = ({ runSocket, runtimeDir, systemRuntime }: Places): string => {
  if (runSocket !== undefined) return runSocket;
  const uid = process.getuid?.() ?? 0;
  const [own, system] = [socketFor(runtimeDir, uid), systemRuntime === undefined ? '' : socketFor(systemRuntime, uid)];
  return system !== '' && !fs.existsSync(own) && fs.existsSync(system) ? system : own;
};

export interface LocalClient {
  readonly socket: net.Socket;
  send(message: Request): void;
}

/** @throws CordonError `daemon.not-running` */
export const connectLocal = (file: string, onFrame: (kind: Kind, payload: Buffer) => void): Promise<LocalClient> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(file, () => resolve({ socket, send: (message) => void socket.write(encodeControl(message)) }));
    socket.once('error', (cause) =>
      reject(
        new CordonError('daemon.not-running', `the daemon does not answer at ${file}: start it with cordon daemon`, { place: file, cause }),
      ),
    );
    const decode = createDecoder(onFrame);
    socket.on('data', (chunk) => {
      try {
        decode(chunk);
      } catch {
        socket.destroy();
      }
    });
  });

/** One question, one reply. @throws CordonError with the daemon's code */
export const ask = async (file: string, request: Request): Promise<Reply> => {
  let answer: (reply: Reply) => void = () => undefined;
  const reply = new Promise<Reply>((resolve) => (answer = resolve));
  const client = await connectLocal(file, (kind, payload) => {
    if (kind === KIND.control) answer(JSON.parse(payload.toString('utf8')) as Reply);
  });
  client.send(request);
  client.socket.once('close', () => answer({ type: 'error', code: 'daemon.gone', message: 'the daemon closed the connection' }));
  const received = await reply;
  client.socket.destroy();
  if (received.type === 'error') throw new CordonError(received.code, received.message);
  return received;
};
