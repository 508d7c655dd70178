/** Who made a token: the address at which others reach the device listener, as configured, else as it listens. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { App, Context } from '../context.ts';

const refuse = (why: string): never => {
  throw new CordonError('identity.issuer', `${why}: set CORDON_ISSUER to the origin at which others reach the device listener`);
};
/** All addresses of a machine are none by which it could be called. */
const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** @param app the device listener. @returns a function that throws CordonError `identity.issuer` when that is no address for others */
export const issuerOf =
  ({ config: { issuer, host, tls } }: { readonly config: Pick<Context['config'], 'issuer' | 'host' | 'tls'> }, app: Pick<App, 'server'>) =>
  (): string => {
    if (issuer !== undefined) return issuer;
    if (EVERYWHERE.has(host)) return refuse(`the service listens everywhere (${host})`);
    const address = app.server.address();
    if (address === null || typeof address === 'string') return refuse('the listener has no port');
    return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  };
