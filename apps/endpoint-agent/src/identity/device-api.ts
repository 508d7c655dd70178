/** The device API over HTTP(S): strict replies, limits, and errors that say what to do. */
import { CordonError } from '@cordon/policy/errors.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';

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

/** The body, as long as it is one that a server of ours would send: whoever answers is not proved yet. @throws CordonError `server.reply` */
const readText = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    size += bytes.length;
    if (size > MAX_REPLY)
      throw new CordonError('server.reply', `${new URL(response.url).pathname} answered with more than ${MAX_REPLY} bytes`);
    chunks.push(bytes);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
};

/** @throws CordonError with the server's code for a refusal, `server.unreachable` or `server.reply` otherwise */
export const call = async <T>(server: string, path: string, body: unknown, reply: Check<T>, signal?: AbortSignal): Promise<T> => {
  const url = new URL(path, checkServer(server));
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      ...(body !== undefined && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal === undefined ? [] : [signal])]),
    });
    text = await readText(response);
  } catch (cause) {
    if (cause instanceof CordonError) throw cause;
    throw new CordonError('server.unreachable', `${url.origin} does not answer`, { retryable: true, cause });
  }
  let value: unknown;
  try {
    value = parseStrictJson(text, { maxBytes: MAX_REPLY, maxDepth: 16 });
  } catch (cause) {
    throw new CordonError('server.reply', `${url.pathname} answered ${response.status} with something that is not JSON`, {
      retryable: response.status >= 500,
      cause,
    });
  }
  if (!response.ok) {
    const { code, detail, title } = value as { code?: unknown; detail?: unknown; title?: unknown };
    const said = [detail, title].find((text) => typeof text === 'string') ?? `${url.pathname} answered ${response.status}`;
    throw new CordonError(typeof code === 'string' && /^[a-z0-9.-]{1,64}$/.test(code) ? code : 'server.refused', said.slice(0, 500), {
      retryable: response.status >= 500 || response.status === 429,
    });
  }
  if (!reply.Check(value))
    throw new CordonError('server.reply', `${url.pathname} answered with something that this version does not understand`);
  return value;
};
