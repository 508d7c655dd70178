/** Who made a token: the address at which others reach the device listener, as configured, else as it listens. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { App, Context } from '../context.ts';

/** @param app the device listener */
export const issuerOf =
  ({ config: { issuer, host, tls } }: Pick<Context, 'config'>, app: Pick<App, 'server'>) =>
  (): string => {
    if (issuer !== undefined) return issuer;
    const address = app.server.address();
    if (address === null || typeof address === 'string')
      throw new CordonError('identity.issuer', 'the listener has no port: set CORDON_ISSUER', { retryable: true });
    return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  };
