/** The channel by plain requests, where networks let no WebSocket through (protocol/tunnel.ts). Who opens a tunnel shows a session's ticket; it is used up inside, by the channel's upgrade. */
import { Buffer } from 'node:buffer';
import { MAX_TUNNEL_UP, OFFSET_HEADER, readOffset, TunnelReply } from '@cordon/policy/protocol/tunnel.ts';
import { Type } from 'typebox';
import type { FastifyRequest } from 'fastify';
import type { App, Context } from '../context.ts';
import { Refusal } from '../errors.ts';
import type { Tunnel, TunnelFault } from './tunnel.ts';
import type { Tunnels } from './tunnels.ts';

/** How long a question for bytes waits: below what proxies allow an answer. */
const POLL_SECONDS = 25;
/** Requests a minute of one tunnel; frames have the channel's own limit. */
const PER_MINUTE = 1200;

const BEARER = /^Bearer ([A-Za-z0-9_-]{1,512})$/;
const config = { permission: 'device' as const };
const bytes = { description: 'Bytes', content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } };

const FAULTS: Readonly<Record<TunnelFault, readonly [status: number, code: string, detail: string]>> = {
  ended: [410, 'tunnel.ended', 'this tunnel is over: open a session anew'],
  gap: [409, 'tunnel.offset', 'bytes before this offset are missing, or gone: open a session anew'],
  full: [429, 'tunnel.full', 'the channel has not read what it was sent'],
};
const faultOf = (fault: TunnelFault): Refusal => {
  const [status, code, detail] = FAULTS[fault];
  return new Refusal(status, code, detail, { retryable: status === 429 });
};

const secretOf = (request: FastifyRequest): string => BEARER.exec(request.headers.authorization ?? '')?.[1] ?? '';

export const registerTunnel = (app: App, { tickets }: Pick<Context, 'tickets'>, tunnels: Tunnels): void => {
  const tags = ['session'];

  app.post(
    '/tunnel',
    {
      config,
      schema: {
        tags,
        summary: 'Opens a tunnel for a device whose network lets no WebSocket through. Its session’s ticket goes along, and is used inside',
        body: Type.Object({}, { additionalProperties: false }),
        response: { 201: TunnelReply },
      },
    },
    async (request, reply) => {
      if (tickets.read(secretOf(request)) === undefined)
        throw new Refusal(401, 'channel.ticket', 'send a fresh session ticket as Authorization: Bearer TICKET');
      const tunnel = tunnels.open();
      if (tunnel === undefined)
        throw new Refusal(503, 'channel.busy', 'too many tunnels are open; try again after a random time', { retryable: true });
      return reply.code(201).send({ tunnel, pollSeconds: POLL_SECONDS });
    },
  );

  const found = (request: FastifyRequest): { readonly tunnel: Tunnel; readonly offset: number } => {
    const tunnel = tunnels.of(secretOf(request));
    if (tunnel === undefined) throw faultOf('ended');
    const offset = readOffset(request.headers[OFFSET_HEADER]);
    if (offset === undefined) throw new Refusal(400, 'tunnel.offset', `${OFFSET_HEADER} must be a number of bytes`);
    tunnel.heardAt = performance.now();
    return { tunnel, offset };
  };
  // Of a tunnel that exists by itself: a whole company may come from one address.
  const keyGenerator = (request: FastifyRequest): string => {
    const secret = secretOf(request);
    return tunnels.of(secret) === undefined ? request.ip : secret;
  };
  const limited = { ...config, rateLimit: { max: PER_MINUTE, timeWindow: 60_000, keyGenerator } };

  void app.register(async (scope) => {
    scope.addContentTypeParser('application/octet-stream', { parseAs: 'buffer', bodyLimit: MAX_TUNNEL_UP }, (_request, body, done) =>
      done(null, body),
    );

    scope.post(
      '/tunnel/up',
      {
        config: limited,
        bodyLimit: MAX_TUNNEL_UP,
        schema: { tags, summary: 'Bytes for the channel', response: { 204: Type.Null({ description: 'Taken' }) } },
      },
      async (request, reply) => {
        const { tunnel, offset } = found(request);
        const body: unknown = request.body;
        if (!Buffer.isBuffer(body)) throw new Refusal(400, 'request.invalid', 'send application/octet-stream');
        const fault = tunnel.up(offset, body);
        if (fault !== undefined) throw faultOf(fault);
        return reply.code(204).send();
      },
    );

    scope.post(
      '/tunnel/down',
      {
        config: limited,
        schema: {
          tags,
          summary: 'Bytes from the channel, as soon as there are any',
          response: { 200: bytes, 204: Type.Null({ description: 'None for a while' }) },
        },
      },
      async (request, reply) => {
        const { tunnel, offset } = found(request);
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const answer = await tunnel.down(offset, AbortSignal.any([gone.signal, AbortSignal.timeout(POLL_SECONDS * 1000)]));
        tunnel.heardAt = performance.now();
        if (typeof answer === 'string') throw faultOf(answer);
        if (answer.length === 0) return reply.code(204).send();
        return reply.code(200).header('cache-control', 'no-store').type('application/octet-stream').send(answer);
      },
    );
  });
};
