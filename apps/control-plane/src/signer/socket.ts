/** JSON lines on the signer's socket, one answer a line, one request after the other whoever asks; limits before anything is parsed. */
import net from 'node:net';
import { CordonError } from '@cordon/policy/errors.ts';

/** All leaves of 100,000 devices and the bundles of 500 cohorts are some 40 MB. */
const MAX_LINE = 256 * 1024 * 1024;
/** The control plane has one. */
const MAX_CONNECTIONS = 4;

type Handler = (op: unknown, request: unknown) => Promise<unknown>;

const answer = async (line: string, handle: Handler): Promise<string> => {
  let id: unknown = null;
  try {
    const { id: given, op, request } = JSON.parse(line) as { id?: unknown; op?: unknown; request?: unknown };
    id = typeof given === 'number' ? given : null;
    return JSON.stringify({ id, result: (await handle(op, request)) ?? null });
  } catch (error) {
    const known = error instanceof CordonError;
    if (!known) process.stderr.write(`cordon signer: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    const { code, message, retryable } = known
      ? error
      : { code: 'signer.failed', message: 'the signer could not do it: what it said is on its standard error', retryable: false };
    return JSON.stringify({ id, code, message, retryable });
  }
};

/** @param handle is called for one request at a time */
export const serve = (handle: Handler): net.Server => {
  let turn = Promise.resolve();
  const server = net.createServer((socket) => {
    let parts: string[] = [];
    let length = 0;
    socket.on('error', () => socket.destroy());
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = chunk.split('\n');
      lines.forEach((part, i) => {
        parts.push(part);
        length += part.length;
        if (length > MAX_LINE) return void socket.destroy();
        if (i === lines.length - 1) return;
        const line = parts.join('');
        parts = [];
        length = 0;
        turn = turn.then(async () => {
          const reply = await answer(line, handle);
          if (socket.writable) socket.write(`${reply}\n`);
        });
      });
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  return server;
};
