/** The admin API: one request at a time over HTTP(S), with limits, strict replies and errors that say what to do. */
import http from 'node:http';
import https from 'node:https';
import { CordonError } from '@cordon/policy/errors.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import type { Connection } from './connection.ts';

/** A proposal carries the policies of the whole organisation and the members of its groups. */
const MAX_REPLY = 64 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

export interface Check<T> {
  Check(value: unknown): value is T;
}

export interface Client {
  /** @param path below /api/v1. @throws CordonError with the server's own code, or `server.unreachable|reply` */
  get<T>(path: string, reply: Check<T>): Promise<T>;
  post<T>(path: string, body: object, reply: Check<T>): Promise<T>;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const TLS_FAULTS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate leads to an authority that this machine does not know',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate leads to an authority that this machine does not know',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

const unreachable = (server: URL, cause: NodeJS.ErrnoException): CordonError => {
  const fault = TLS_FAULTS[cause.code ?? ''];
  return fault === undefined
    ? new CordonError(
        'server.unreachable',
        `${server.origin} does not answer (${cause.code ?? cause.message}): check address, port and network`,
        { cause, retryable: true },
      )
    : new CordonError('server.certificate', `${server.origin} is not believed: ${fault}; name its authority with --ca FILE`, { cause });
};

const exchange = ({ server, token, ca }: Connection, method: string, path: string, body: object | undefined): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const options = {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...(payload !== undefined && { 'content-type': 'application/json', 'content-length': payload.length }),
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(ca !== undefined && { ca }),
    };
    const request = (server.protocol === 'https:' ? https : http).request(new URL(`/api/v1${path}`, server), options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > MAX_REPLY) response.destroy(new CordonError('server.reply', `the answer is longer than ${MAX_REPLY} bytes`));
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    request.on('error', (error: NodeJS.ErrnoException) => reject(error instanceof CordonError ? error : unreachable(server, error)));
    request.end(payload);
  });

const parsed = ({ status, body }: Answer, path: string): unknown => {
  try {
    return parseStrictJson(body, { maxBytes: MAX_REPLY, maxDepth: 32 });
  } catch (cause) {
    throw new CordonError(
      'server.reply',
      `${path} answered ${status} with something that is not JSON: is this the listener for administrators (port 7400)?`,
      {
        cause,
      },
    );
  }
};

/** What a problem (RFC 9457) says, in one line: its code is the server's. */
const refusal = (status: number, value: unknown): CordonError => {
  const { code, detail, title } = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const said = [detail, title].find((text): text is string => typeof text === 'string') ?? `the server answered ${status}`;
  const known = typeof code === 'string' && /^[a-z0-9.-]{1,64}$/.test(code) ? code : 'server.refused';
  return new CordonError(known, said.slice(0, 2000), { retryable: status === 429 || status >= 500 });
};

export const createClient = (connection: Connection): Client => {
  const call = async <T>(method: string, path: string, body: object | undefined, reply: Check<T>): Promise<T> => {
    const answer = await exchange(connection, method, path, body);
    const value = parsed(answer, path);
    if (answer.status >= 300) throw refusal(answer.status, value);
    if (!reply.Check(value)) throw new CordonError('server.reply', `${path} answered with something that this version does not understand`);
    return value;
  };
  return { get: (path, reply) => call('GET', path, undefined, reply), post: (path, body, reply) => call('POST', path, body, reply) };
};
