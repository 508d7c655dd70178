/** CONNECT: a tunnel to an address that was judged, for a host that its first bytes must name too. */
import type { IncomingMessage } from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { LIMITS } from './limits.ts';
import { problem, rule, type RulingOptions } from './ruling.ts';
import { checkServerName } from './server-name.ts';
import { connectTarget, type Target } from './target.ts';

const REASONS = { 400: 'Bad Request', 403: 'Forbidden', 502: 'Bad Gateway' } as const;

const reply = (client: Duplex, status: keyof typeof REASONS, body: string): void =>
  void client.end(
    `HTTP/1.1 ${status} ${REASONS[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );

/** Each side's end is the other's, once what was sent before it has arrived. */
const tie = (client: Duplex, upstream: net.Socket): void => {
  upstream.on('error', () => client.destroy());
  upstream.on('close', (broken) => {
    if (broken || client.destroyed) return void client.destroy();
    client.end();
    client.resume(); // nobody takes what it still says
    const linger = setTimeout(() => client.destroy(), LIMITS.lingerMs);
    client.once('close', () => clearTimeout(linger));
  });
  client.on('close', () => (client.readableEnded ? upstream.destroySoon() : upstream.destroy()));
};

export const tunnel = async (request: IncomingMessage, client: Duplex, head: Buffer, options: RulingOptions): Promise<void> => {
  let target: Target;
  try {
    target = connectTarget(request.url ?? '');
  } catch (error) {
    return reply(client, 400, problem('egress.request', error instanceof Error ? error.message : 'not understood'));
  }
  const ruling = await rule(target, undefined, options);
  if ('status' in ruling) return reply(client, ruling.status, ruling.body);
  if (client.destroyed) return;
  const { host, port } = target;
  const upstream = net.connect({ host, port, lookup: ruling.lookup, allowHalfOpen: true, timeout: LIMITS.dialMs });
  const abandon = (): void => void upstream.destroy();
  const unreachable = (): void => reply(client, 502, problem('egress.upstream', `${host}:${port} cannot be reached`));
  client.once('close', abandon);
  upstream.once('error', unreachable);
  upstream.on('timeout', () => upstream.destroy(upstream.connecting ? new Error('it took too long') : undefined));
  upstream.once('connect', () => {
    client.off('close', abandon);
    upstream.off('error', unreachable);
    upstream.setTimeout(LIMITS.idleMs);
    tie(client, upstream);
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    const { run, decided } = options;
    const refused = (): void =>
      decided({ run, verdict: 'denied', host, port, rule: 'server-name', policy: 'builtin egress', code: 'egress.server-name' });
    checkServerName({ client, upstream, head, target, refused });
  });
};
