/** The only reader of the environment. Loose strings in, a strict object out, or an error that names the variable. */
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';

export interface Config {
  /** Embedded database, signer keys and the admin token lie here. Absolute. */
  readonly stateDir: string;
  /** Folder of a ceremony of keys: taken in at the next start, when it is new. Absolute. */
  readonly organisation: string | undefined;
  /** The database as its owner; undefined means the embedded one. */
  readonly databaseUrl: string | undefined;
  /** Port of the embedded database; undefined means a free one below 32768. */
  readonly databasePort: number | undefined;
  readonly host: string;
  readonly adminPort: number;
  readonly devicePort: number;
  /** PEM files. Both or none. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Addresses whose forwarded headers are believed; they end TLS. Empty means none. */
  readonly trustProxy: readonly string[];
  /** What tokens of runs name as who made them: where others reach the device listener. Undefined: as it listens. */
  readonly issuer: string | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

type Environment = Readonly<Record<string, string | undefined>>;

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

const wrong = (name: string, expected: string): CordonError =>
  new CordonError('config.invalid', `${name} must be ${expected}; change it or leave it out`, { place: name });

const port = (env: Environment, name: string, fallback: number): number => {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value > 65_535) throw wrong(name, 'a port number from 0 (any free one) to 65535');
  return value;
};

/** An origin that everyone reads alike: tokens are compared with it letter by letter. */
const issuerFrom = (text: string | undefined): string | undefined => {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const local = url?.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url === undefined || url.origin !== text || !(url.protocol === 'https:' || local))
    throw wrong(
      'CORDON_ISSUER',
      'the origin of the device listener as others reach it, such as https://cordon.example:7401, with nothing after it',
    );
  return text;
};

/** @throws CordonError config.invalid, naming the variable and what it expects */
export const configFrom = (env: Environment): Config => {
  const optional = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const cert = optional('CORDON_TLS_CERT');
  const key = optional('CORDON_TLS_KEY');
  if ((cert === undefined) !== (key === undefined))
    throw wrong(cert === undefined ? 'CORDON_TLS_CERT' : 'CORDON_TLS_KEY', 'set when the other of certificate and key is');
  const databaseUrl = optional('DATABASE_URL');
  if (databaseUrl !== undefined && !/^postgres(ql)?:\/\//.test(databaseUrl))
    throw wrong('DATABASE_URL', 'a URL like postgresql://owner:password@host:5432/database');
  const level = LEVELS.find((known) => known === (optional('CORDON_LOG') ?? 'info'));
  if (level === undefined) throw wrong('CORDON_LOG', `one of ${LEVELS.join(', ')}`);
  return {
    stateDir: path.resolve(optional('CORDON_STATE') ?? '.cordon/control-plane'),
    organisation: optional('CORDON_ORGANISATION') === undefined ? undefined : path.resolve(optional('CORDON_ORGANISATION') ?? ''),
    databaseUrl,
    databasePort: optional('CORDON_DATABASE_PORT') === undefined ? undefined : port(env, 'CORDON_DATABASE_PORT', 0),
    host: optional('CORDON_HOST') ?? '127.0.0.1',
    adminPort: port(env, 'CORDON_ADMIN_PORT', 7400),
    devicePort: port(env, 'CORDON_DEVICE_PORT', 7401),
    tls: cert !== undefined && key !== undefined ? { cert, key } : undefined,
    trustProxy: (optional('CORDON_TRUST_PROXY') ?? '')
      .split(',')
      .map((address) => address.trim())
      .filter(Boolean),
    issuer: issuerFrom(optional('CORDON_ISSUER')),
    logLevel: level,
  };
};

/** The configuration of this process. */
export const readConfig = (): Config => configFrom(process.env);
