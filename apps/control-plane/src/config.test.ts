import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { configFrom } from './config.ts';

const refused = (env: Record<string, string>): unknown => {
  try {
    configFrom(env);
    return undefined;
  } catch (error) {
    const { code, place } = error as { code: string; place: string };
    return [code, place];
  }
};

describe('the configuration', () => {
  it('needs nothing: everything has a default that works on one machine', () =>
    expect(configFrom({})).toEqual({
      stateDir: path.resolve('.cordon/control-plane'),
      databaseUrl: undefined,
      databasePort: undefined,
      host: '127.0.0.1',
      adminPort: 7400,
      devicePort: 7401,
      tls: undefined,
      trustProxy: [],
      logLevel: 'info',
    }));

  it('reads every variable', () =>
    expect(
      configFrom({
        CORDON_STATE: '/var/lib/cordon',
        DATABASE_URL: 'postgres://owner:secret@db/cordon',
        CORDON_DATABASE_PORT: '15999',
        CORDON_HOST: '::1',
        CORDON_ADMIN_PORT: '0',
        CORDON_DEVICE_PORT: '65535',
        CORDON_TLS_CERT: '/c.pem',
        CORDON_TLS_KEY: '/k.pem',
        CORDON_TRUST_PROXY: ' 10.0.0.1, 10.0.0.2,',
        CORDON_LOG: 'warn',
      }),
    ).toEqual({
      stateDir: '/var/lib/cordon',
      databaseUrl: 'postgres://owner:secret@db/cordon',
      databasePort: 15_999,
      host: '::1',
      adminPort: 0,
      devicePort: 65_535,
      tls: { cert: '/c.pem', key: '/k.pem' },
      trustProxy: ['10.0.0.1', '10.0.0.2'],
      logLevel: 'warn',
    }));

  it('takes an empty variable for one that is not set', () => {
    const names = [
      'CORDON_STATE',
      'DATABASE_URL',
      'CORDON_DATABASE_PORT',
      'CORDON_HOST',
      'CORDON_ADMIN_PORT',
      'CORDON_TLS_CERT',
      'CORDON_LOG',
    ];
    expect(configFrom(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(configFrom({}));
  });

  it.each([
    ['CORDON_ADMIN_PORT', '65536'],
    ['CORDON_ADMIN_PORT', '-1'],
    ['CORDON_DEVICE_PORT', '0x50'],
    ['CORDON_DEVICE_PORT', '80 '],
    ['CORDON_DATABASE_PORT', 'any'],
    ['DATABASE_URL', 'mysql://x/y'],
    ['CORDON_LOG', 'loud'],
  ])('names the variable that is wrong: %s=%s', (name, value) => expect(refused({ [name]: value })).toEqual(['config.invalid', name]));

  it.each([
    'https://cordon.example/',
    'https://cordon.example/path',
    'https://CORDON.example',
    'http://cordon.example',
    'https://me@cordon.example',
    'cordon.example',
    'https://cordon.example:443',
  ])('does not name %s as who made tokens: it would be read differently somewhere, or in clear text', (CORDON_ISSUER) =>
    expect(refused({ CORDON_ISSUER })).toEqual(['config.invalid', 'CORDON_ISSUER']),
  );

  it.each(['https://cordon.example:7401', 'http://127.0.0.1:7401'])('names %s as who made tokens', (CORDON_ISSUER) =>
    expect(configFrom({ CORDON_ISSUER }).issuer).toBe(CORDON_ISSUER),
  );

  it('wants certificate and key together, and names the missing one', () => {
    expect(refused({ CORDON_TLS_CERT: '/c' })).toEqual(['config.invalid', 'CORDON_TLS_KEY']);
    expect(refused({ CORDON_TLS_KEY: '/k' })).toEqual(['config.invalid', 'CORDON_TLS_CERT']);
  });
});
