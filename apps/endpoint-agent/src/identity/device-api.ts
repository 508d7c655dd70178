/** The device API over HTTP(S): strict replies, limits, and errors that say what to do. */
import { CordonError } from '@cordon/policy/errors.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { STRAIGHT, type Network } from '../network/network.ts';
import type { Answer } from '../network/request.ts';

const MAX_REPLY = 1_048_576;
const TIMEOUT_MS = 15_000;

export type Check<T> = { Check(value: unknown): value is T };

/** Plain http only to this machine itself. @throws CordonError `server.plaintext`, `server.url` */
export const checkServer = (server: string): URL => {
  let url: URL;
  try {
    url = new URL(server);
  } catch (cause) {
    throw new CordonError('server.url', `${JSON.stringify(server)} is not a URL such as https://cordon.example:7401`, { cause });
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)))
    throw new CordonError('server.plaintext', `${url.protocol}//${url.hostname} would be spoken to without TLS; use https`);
  return url;
};

/** By whom and how a control plane is asked. */
export interface Means {
  readonly network: Network;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @throws CordonError with the server's code for a refusal, `server.unreachable` or `server.reply` otherwise */
export const call = async <T>(
  server: string,
  path: string,
  body: unknown,
  reply: Check<T>,
  { network, signal, headers }: Means = { network: STRAIGHT },
): Promise<T> => {
  const url = new URL(path, checkServer(server));
  let answer: Answer;
  try {
    answer = await network.request(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { ...headers, accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      maxBytes: MAX_REPLY,
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal === undefined ? [] : [signal])]),
    });
  } catch (cause) {
    if (cause instanceof CordonError) throw cause;
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    const through = network.through === undefined ? '' : ` through ${network.through}`;
    throw new CordonError('server.unreachable', `${url.origin} does not answer${through}${why}`, { retryable: true, cause });
  }
  const { status } = answer;
  if (status >= 300 && status < 400)
    throw new CordonError('server.unreachable', `${url.origin} sends elsewhere, and is not followed: name the control plane itself`, {
      retryable: true,
    });
  let value: unknown;
  try {
    value = parseStrictJson(answer.body, { maxBytes: MAX_REPLY, maxDepth: 16 });
  } catch (cause) {
    throw new CordonError('server.reply', `${url.pathname} answered ${status} with something that is not JSON`, {
      retryable: status >= 500,
      cause,
    });
  }
  if (status < 200 || status > 299) {
    const { code, detail, title } = value as { code?: unknown; detail?: unknown; title?: unknown };
    const said = [detail, title].find((text) => typeof text === 'string') ?? `${url.pathname} answered ${status}`;
    throw new CordonError(typeof code === 'string' && /^[a-z0-9.-]{1,64}$/.test(code) ? code : 'server.refused', said.slice(0, 500), {
      retryable: status >= 500 || status === 429,
    });
  }
  if (!reply.Check(value))
    throw new CordonError('server.reply', `${url.pathname} answered with something that this version does not understand`);
  return value;
};
