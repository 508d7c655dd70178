/** The first bytes of a tunnel: a TLS hello must name the host that CONNECT named, and port 443 carries nothing but TLS. */
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { readClientHello } from './client-hello.ts';
import { LIMITS } from './limits.ts';
import type { Target } from './target.ts';

export interface FirstBytes {
  readonly client: Duplex;
  readonly upstream: Socket;
  /** What came with the CONNECT request itself. */
  readonly head: Buffer;
  readonly target: Target;
  /** Lets both sides go on, beginning with what the client has said. */
  readonly flow: (first: Buffer) => void;
  readonly refused: () => void;
}

/** Holds what the client says first until it is judged; then both sides flow. */
export const checkServerName = ({ client, upstream, head, target, flow: goOn, refused }: FirstBytes): void => {
  let seen = Buffer.alloc(0);
  let flowing = false;
  const late = setTimeout(() => client.destroy(), LIMITS.helloMs);
  const flow = (): void => {
    clearTimeout(late);
    flowing = true;
    client.off('data', more);
    goOn(seen);
  };
  const refuse = (): void => {
    clearTimeout(late);
    refused();
  };
  const more = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk]);
    const hello = readClientHello(seen);
    if (hello.kind === 'more') return;
    if (hello.kind === 'unclear') return refuse();
    if (hello.kind === 'not-tls') return target.port === 443 ? refuse() : flow();
    const named = hello.serverName?.toLowerCase();
    return named === (isIP(target.host) === 0 ? target.host : undefined) ? flow() : refuse();
  };
  client.on('close', () => clearTimeout(late));
  // A client that has no more to say has said what it had.
  client.once('end', () => {
    if (!flowing) upstream.destroy();
  });
  // A protocol in which the server speaks first has no hello to wait for; only other ports than 443 may carry one.
  if (target.port !== 443)
    upstream.once('data', (chunk: Buffer) => {
      if (flowing) return;
      // A server of TLS does not speak before it has heard the whole hello.
      if (seen.length > 0) return refuse();
      upstream.unshift(chunk);
      flow();
    });
  client.on('data', more);
  if (head.length > 0) more(head);
};
