/** `cordon enroll`: joins this device to an organisation. The token comes by file, environment, configuration file or standard input, never by argument. */
import fs from 'node:fs';
import { text } from 'node:stream/consumers';
import { CordonError } from '@cordon/policy/errors.ts';
import { visible } from '@cordon/policy/visible.ts';
import { enrollConfigFile, readConfig, takeJoinVariables } from '../config.ts';
import { enroll } from '../identity/enroll.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { deviceFacts } from '../identity/facts.ts';
import { readEnrollConfig, readTokenFile, refuseTokenArguments, type JoinRequest } from '../identity/join-request.ts';
import { persist, type PersistOptions } from '../identity/persist.ts';
import { openNetwork, type Network } from '../network/network.ts';
import { printResult } from './output.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

/** What stands in the environment or in the configuration file: enough to join with, or not. Taken out of the environment. @throws CordonError `enroll.*`, `file.*` */
export const unattendedRequest = (): Partial<JoinRequest> => {
  const { server, token, tokenFile } = takeJoinVariables();
  if (token !== undefined && tokenFile !== undefined)
    throw new CordonError('enroll.two-tokens', 'CORDON_TOKEN and CORDON_ENROLL_TOKEN_FILE are both set: leave one out');
  const said = token ?? (tokenFile === undefined ? undefined : readTokenFile(tokenFile));
  const file = said === undefined || server === undefined ? readEnrollConfig(enrollConfigFile()) : undefined;
  const found = { server: server ?? file?.server, token: said ?? file?.token };
  return { ...(found.server !== undefined && { server: found.server }), ...(found.token !== undefined && { token: found.token }) };
};

export interface Joining extends JoinRequest {
  readonly stateDir: string;
  readonly network: Network;
  /** As many attempts as it takes; one when absent. */
  readonly retry?: PersistOptions | undefined;
  /** Once more, as a new device of the same organisation (identity/rejoin.ts). */
  readonly again?: boolean;
}

export const join = ({ stateDir, server, token, network, retry, again = false }: Joining): Promise<Enrollment> => {
  fs.mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  fs.chmodSync(stateDir, 0o700);
  const attempt = (): Promise<Enrollment> =>
    enroll({ stateDir, server, token, facts: deviceFacts(), now: new Date(), again, means: { network } });
  return retry === undefined ? attempt() : persist(attempt, retry);
};

export const enrollmentLine = ({ device, org, pending }: Enrollment): string =>
  `enrolled as ${device} in ${org}${pending === true ? '; it is waiting for an administrator to approve it' : ''}`;

export const enrollCommand = async (args: readonly string[]): Promise<number> => {
  refuseTokenArguments(args);
  const said = argumentsOf('enroll', args);
  const { options, flags } = said;
  const file = options.get('token-file');
  const given = { server: options.get('server'), token: file === undefined ? undefined : readTokenFile(file) };
  // What is said here stands, whatever is said elsewhere.
  const unattended = given.server === undefined || given.token === undefined ? unattendedRequest() : takeJoinVariables();
  const server = given.server ?? unattended.server;
  if (server === undefined) throw misused(commandNamed('enroll'), 'Nobody says which control plane to join: name it with --server');
  const token = given.token ?? unattended.token ?? (await text(process.stdin));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const log = (message: string): void => void process.stderr.write(`${visible(message)}\n`);
  const retry = flags.has('retry') ? { signal: stop.signal, random: Math.random, log } : undefined;
  const config = readConfig();
  const network = openNetwork(config.network);
  const enrollment = await join({ stateDir: config.stateDir, server, token, network, retry, again: flags.has('again') });
  const { device, org, pending = false } = enrollment;
  printResult(said, { device, organisation: org, pending }, () => [enrollmentLine(enrollment)]);
  return 0;
};
