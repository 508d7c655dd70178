/** `cordon daemon`: runs until it is told to stop. A machine that is not enrolled, but was told how to be, joins first. */
import { visible } from '@cordon/policy/visible.ts';
import { readConfig, takeJoinVariables } from '../config.ts';
import { runDaemon } from '../daemon.ts';
import { loadEnrollment } from '../identity/enrollment.ts';
import { refuseTokenArguments } from '../identity/join-request.ts';
import { openNetwork } from '../network/network.ts';
import { argumentsOf } from './table.ts';
import { enrollmentLine, join, unattendedRequest } from './enroll.ts';

export const daemonCommand = async (args: readonly string[]): Promise<number> => {
  refuseTokenArguments(args);
  argumentsOf('daemon', args);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const log = (message: string): void => void process.stdout.write(`${new Date().toISOString()} ${visible(message)}\n`);
  const config = readConfig();
  if (loadEnrollment(config.stateDir) === undefined) {
    const { server, token } = unattendedRequest();
    if (server !== undefined && token !== undefined)
      log(
        enrollmentLine(
          await join({
            stateDir: config.stateDir,
            server,
            token,
            network: openNetwork(config.network),
            retry: { signal: stop.signal, random: Math.random, log },
          }),
        ),
      );
  } else takeJoinVariables(); // nothing that this process starts shall have the token
  await runDaemon(config, stop.signal, log);
  return 0;
};
