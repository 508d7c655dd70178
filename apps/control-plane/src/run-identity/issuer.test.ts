import { describe, expect, it } from 'vitest';
import type { App } from '../context.ts';
import { issuerOf } from './issuer.ts';

const tls = { cert: '/c.pem', key: '/k.pem' };
const listening = (address: { readonly port: number } | null): Pick<App, 'server'> =>
  ({ server: { address: () => address } }) as Partial<App> as Pick<App, 'server'>;

describe('the issuer of tokens', () => {
  it.each([
    [{ issuer: 'https://cordon.example', host: '0.0.0.0', tls }, 'https://cordon.example'],
    [{ issuer: undefined, host: '127.0.0.1', tls: undefined }, 'http://127.0.0.1:7401'],
    [{ issuer: undefined, host: '::1', tls }, 'https://[::1]:7401'],
    [{ issuer: undefined, host: 'cordon.example', tls }, 'https://cordon.example:7401'],
  ])('is what was configured, else how the device listener is reached: %j', (config, issuer) =>
    expect(issuerOf({ config }, listening({ port: 7401 }))()).toBe(issuer),
  );

  it.each(['0.0.0.0', '::'])('is not to be guessed where the service listens everywhere: %s', (host) =>
    expect(issuerOf({ config: { issuer: undefined, host, tls } }, listening({ port: 7401 }))).toThrow(
      expect.objectContaining({ code: 'identity.issuer', message: expect.stringContaining('CORDON_ISSUER') }),
    ),
  );

  it('is there only once it listens', () =>
    expect(issuerOf({ config: { issuer: undefined, host: '127.0.0.1', tls } }, listening(null))).toThrow(
      expect.objectContaining({ code: 'identity.issuer' }),
    ));
});
