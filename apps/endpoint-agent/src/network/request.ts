/** One HTTP request: no redirects, no cookies but those given, an answer within its limits. Small on purpose: the daemon has it in memory all day. */
import http from 'node:http';
import https from 'node:https';
import { CordonError } from '@cordon/policy/errors.ts';

export interface Asked {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Gives it up, whatever it waits for. */
  readonly signal: AbortSignal;
  /** Of the answer's body. */
  readonly maxBytes: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** @throws CordonError `server.reply` for an answer that is too long; what Node says where there is none */
export const request = (agent: http.Agent | undefined, url: URL, { method, headers, body, signal, maxBytes }: Asked): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { request: send } = url.protocol === 'https:' ? https : http;
    const asked = send(url, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }) },
      agent,
      signal,
    });
    asked.once('error', reject);
    asked.once('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size <= maxBytes) return;
        reject(new CordonError('server.reply', `${url.pathname} answered with more than ${maxBytes} bytes`));
        response.destroy();
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    asked.end(body);
  });
