/** The only reader of the environment. */
import os from 'node:os';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { NetworkSettings } from './network/network.ts';

export interface AgentConfig {
  /** Key, enrollment, last good state, spool. Only the daemon's account may enter. */
  readonly stateDir: string;
  /** Sockets; short. */
  readonly runtimeDir: string;
  /** Where the service of this machine has its sockets, for whoever has no daemon of their own; undefined where a place was named. */
  readonly systemRuntime: string | undefined;
  /** More accounts that a root daemon serves, by name. */
  readonly users: readonly string[];
  /** The device's key is replaced when it is so many days old; 0: only by command. */
  readonly keyDays: number;
  /** File of host → address, used before DNS. */
  readonly hostsFile: string | undefined;
  /** The way to the control plane. */
  readonly network: NetworkSettings;
  /** The company's proxy that the way out of every run goes through: `http://host:port`. */
  readonly egressProxy: string | undefined;
  /** Inside a run: its way to the daemon. */
  readonly runSocket: string | undefined;
}

/** @throws CordonError `config.days` */
const daysOf = (text: string): number => {
  if (!/^[0-9]{1,4}$/.test(text))
    throw new CordonError('config.days', `CORDON_AGENT_KEY_DAYS is ${JSON.stringify(text)}, not a number of days from 0 to 9999`, {
      place: 'CORDON_AGENT_KEY_DAYS',
    });
  return Number(text);
};

const readNetwork = (env: Readonly<Record<string, string | undefined>>): NetworkSettings => {
  const said = (...names: readonly string[]): string | undefined =>
    names.map((name) => env[name]).find((value) => value !== undefined && value !== '');
  return {
    caFile: said('CORDON_CA_FILE'),
    proxy: said('HTTPS_PROXY', 'https_proxy'),
    straight: said('NO_PROXY', 'no_proxy'),
    proxyAuthFile: said('CORDON_PROXY_AUTH_FILE'),
  };
};

const SYSTEM_RUNTIME: Partial<Readonly<Record<NodeJS.Platform, string>>> = { linux: '/run/cordon', darwin: '/var/run/cordon' };

export const readConfig = (env: Readonly<Record<string, string | undefined>> = process.env): AgentConfig => {
  const root = process.getuid?.() === 0;
  const runtime = env['XDG_RUNTIME_DIR'];
  return {
    stateDir: env['CORDON_AGENT_STATE'] ?? (root ? '/var/lib/cordon' : path.join(os.homedir(), '.local/state/cordon')),
    runtimeDir:
      env['CORDON_AGENT_RUNTIME'] ??
      (root ? '/run/cordon' : runtime === undefined ? `/tmp/cordon-${process.getuid?.() ?? 0}` : path.join(runtime, 'cordon')),
    systemRuntime: env['CORDON_AGENT_RUNTIME'] === undefined && !root ? SYSTEM_RUNTIME[process.platform] : undefined,
    users: (env['CORDON_AGENT_USERS'] ?? '').split(',').filter((name) => name !== ''),
    keyDays: daysOf(env['CORDON_AGENT_KEY_DAYS'] ?? '90'),
    hostsFile: env['CORDON_AGENT_HOSTS_FILE'],
    network: readNetwork(env),
    egressProxy: env['CORDON_EGRESS_PROXY'],
    runSocket: env['CORDON_RUN_SOCKET'],
  };
};

export interface JoinVariables {
  readonly server: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
}

/** What an unattended enrollment is told. Taken out of the environment, so that no child of this process gets it. */
export const takeJoinVariables = (env: Record<string, string | undefined> = process.env): JoinVariables => {
  const take = (name: string): string | undefined => {
    const value = env[name];
    delete env[name];
    return value === '' ? undefined : value;
  };
  return { server: take('CORDON_ENROLL_SERVER'), token: take('CORDON_TOKEN'), tokenFile: take('CORDON_ENROLL_TOKEN_FILE') };
};

const ENROLL_CONFIG: Partial<Readonly<Record<NodeJS.Platform, string>>> = {
  darwin: '/Library/Application Support/Cordon/enroll.json',
  win32: 'C:\\ProgramData\\Cordon\\enroll.json',
};

/** Where an MDM says how to join. */
export const enrollConfigFile = (env: Readonly<Record<string, string | undefined>> = process.env): string =>
  env['CORDON_ENROLL_CONFIG'] ?? ENROLL_CONFIG[process.platform] ?? '/etc/cordon/enroll.json';

/** Variables of the caller's own environment by name: what a policy passes on into a run. */
export const callerValues = (
  names: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> => Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));

/** What is set about ways to the control plane, by name; values may hold secrets and are for nobody to print. */
export const proxyVariables = (env: Readonly<Record<string, string | undefined>> = process.env): Record<string, string> =>
  callerValues(
    ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy', 'CORDON_CA_FILE', 'NODE_EXTRA_CA_CERTS'],
    env,
  );
