/** A connection to an address that was judged, or a tunnel through the company's proxy to a name that was allowed. */
import type { LookupAddress } from 'node:dns';
import net, { type LookupFunction } from 'node:net';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalAddress } from '@cordon/policy/match/address.ts';
import { LIMITS } from './limits.ts';
import type { Pass } from './ruling.ts';
import type { Target } from './target.ts';
import { askUpstream, type Upstream } from './upstream.ts';

/** No second lookup: a name may lead elsewhere by then. */
const fixed =
  (addresses: readonly LookupAddress[]): LookupFunction =>
  (_host, { all }, done) => {
    const [first] = addresses;
    if (all === true || first === undefined) done(null, [...addresses]);
    else done(null, first.address, first.family);
  };

const canonical = (address: string | undefined): string => canonicalAddress(address ?? '') ?? '';

const connected = (socket: net.Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => socket.destroy(new Error('it took too long')), LIMITS.dialMs);
    const done = (error?: Error): void => {
      clearTimeout(late);
      socket.off('connect', done).off('error', failed).off('close', failed);
      if (error === undefined) resolve();
      else reject(error);
    };
    const failed = (error?: unknown): void => done(error instanceof Error ? error : new Error('it was closed'));
    socket.once('connect', done).once('error', failed).once('close', failed);
  });

/**
 * @param readable the request goes to the company's proxy itself, without a tunnel
 * @param opened is handed the socket before it is connected: whoever has it can end it
 * @throws CordonError `egress.upstream`, `egress.upstream-proxy`
 */
export const dial = async (
  target: Target,
  { addresses }: Pass,
  upstream: Upstream | undefined,
  opened: (socket: net.Socket) => void,
  readable = false,
): Promise<net.Socket> => {
  const { host, port } = target;
  const proxy = addresses.length === 0 ? upstream : undefined;
  const socket = net.connect(
    proxy === undefined
      ? { host, port, lookup: fixed(addresses), allowHalfOpen: true }
      : { host: proxy.host, port: proxy.port, allowHalfOpen: true },
  );
  socket.setNoDelay(true).setTimeout(LIMITS.idleMs, () => socket.destroy());
  opened(socket);
  try {
    await connected(socket);
    if (proxy !== undefined && readable) return socket;
    if (proxy !== undefined) await askUpstream(socket, target, proxy);
    else if (!addresses.some(({ address }) => canonical(address) === canonical(socket.remoteAddress)))
      throw new CordonError('egress.upstream', `${host} was connected at an address that nobody judged`);
    return socket;
  } catch (error) {
    socket.once('error', () => undefined).destroy();
    if (error instanceof CordonError) throw error;
    throw new CordonError(
      'egress.upstream',
      `${host}:${port} cannot be reached: ${error instanceof Error ? error.message : String(error)}`,
      {
        retryable: true,
      },
    );
  }
};
