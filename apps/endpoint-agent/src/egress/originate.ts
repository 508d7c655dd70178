/**
 * TLS that the proxy opens itself: for a request in plain HTTP, port 80, to a host that may receive the run's identity. It is judged as a request to port 443 of that
 * host, with its method and path, and whatever is attached is read by nobody but the host whose certificate was verified.
 */
import type net from 'node:net';
import tls from 'node:tls';
import { CordonError } from '@cordon/policy/errors.ts';
import { LIMITS } from './limits.ts';

export interface Attachment {
  /** Of a header field; one that the client sent under this name is removed. */
  readonly name: string;
  readonly value: string;
}

/**
 * Called once for each request, after the rules let it through and after TLS to the host is verified.
 * @param host one that the run's policy names under `identity`
 * @returns undefined: nothing is attached, and the request goes on without
 */
export type Attach = (host: string) => Promise<Attachment | undefined>;

export interface Origination {
  readonly attach: Attach;
  /** Authorities that count beside those that this Node brings, as PEM. */
  readonly ca: readonly string[];
}

/** @throws CordonError `egress.certificate` */
export const openTls = async (socket: net.Socket, host: string, { ca }: Pick<Origination, 'ca'>): Promise<tls.TLSSocket> => {
  const secured = tls.connect({
    socket,
    servername: host,
    ALPNProtocols: ['http/1.1'],
    ...(ca.length > 0 && { ca: [...tls.getCACertificates('default'), ...ca] }),
  });
  secured.on('error', () => secured.destroy());
  const late = setTimeout(() => secured.destroy(new Error('it took too long')), LIMITS.dialMs);
  try {
    await new Promise<void>((resolve, reject) => secured.once('secureConnect', resolve).once('error', reject).once('close', reject));
    return secured;
  } catch (error) {
    throw new CordonError(
      'egress.certificate',
      `TLS to ${host} could not be opened: ${error instanceof Error ? error.message : 'it was closed'}`,
    );
  } finally {
    clearTimeout(late);
  }
};
