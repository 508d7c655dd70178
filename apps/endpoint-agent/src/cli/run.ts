/** `cordon run [--agent ID] [--user NAME] [--manifest FILE] -- COMMAND`: the command, contained. Its exit status is the command's; 125 means that it was not started. */
import type { Readable } from 'node:stream';
import { CordonError } from '@cordon/policy/errors.ts';
import { callerValues, readConfig } from '../config.ts';
import { connectLocal, type LocalClient } from '../local-api/client.ts';
import { encode, KIND, socketFor, type Reply } from '../local-api/protocol.ts';
import { parseArguments } from './arguments.ts';
import { manifestText } from './manifest-text.ts';
import { printError, REFUSED_STATUS } from './output.ts';

/** As shells tell of a program that was ended by SIGPIPE. */
const NOBODY_READS = 141;

/** Standard input to the run, with backpressure; an empty message is its end. */
const sendInput = (input: Readable, client: LocalClient): void => {
  input.on('data', (chunk: Buffer) => {
    if (client.socket.write(encode(KIND.stdin, chunk))) return;
    input.pause();
    client.socket.once('drain', () => input.resume());
  });
  input.once('end', () => client.socket.write(encode(KIND.stdin, '')));
};

export const runCommand = async (args: readonly string[]): Promise<number> => {
  const { options, rest } = parseArguments(args, { options: ['agent', 'user', 'manifest'], flags: [] });
  if (rest.length === 0)
    throw new CordonError('cli.usage', 'cordon run [--agent ID] [--user NAME] [--manifest FILE] -- COMMAND [ARGUMENT…]');
  const manifest = await manifestText(options.get('manifest'));
  let settle: (status: number) => void = () => undefined;
  const status = new Promise<number>((resolve) => (settle = resolve));
  let isTold = false;
  const end = (exitStatus: number): void => {
    isTold = true;
    settle(exitStatus);
    // Whatever still comes on standard input is nobody's.
    process.stdin.destroy();
  };
  const onReply = (reply: Reply): void => {
    if (reply.type === 'started') sendInput(process.stdin, client);
    if (reply.type === 'environment') client.send({ op: 'environment', values: callerValues(reply.names) });
    if (reply.type === 'ended') {
      if (reply.reason !== 'exited') process.stderr.write(`cordon: the run was ended (${reply.reason})\n`);
      end(reply.exitCode);
    }
    if (reply.type === 'error') {
      printError(new CordonError(reply.code, reply.message));
      end(REFUSED_STATUS);
    }
  };
  const client = await connectLocal(socketFor(readConfig().runtimeDir, process.getuid?.() ?? 0), (kind, payload) => {
    if (kind === KIND.control) onReply(JSON.parse(payload.toString('utf8')) as Reply);
    else (kind === KIND.stdout ? process.stdout : process.stderr).write(payload);
  });
  const [agent, user] = [options.get('agent'), options.get('user')];
  const who = { ...(agent !== undefined && { agent }), ...(user !== undefined && { user }), ...(manifest !== undefined && { manifest }) };
  client.send({ op: 'run', argv: rest, cwd: process.cwd(), ...who });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => client.send({ op: 'signal', signal: 'terminate' }));
  client.socket.once('close', () => {
    if (!isTold) printError(new CordonError('daemon.gone', 'the daemon went away, and what it ran with it'));
    end(REFUSED_STATUS);
  });
  // Nobody reads any more: the run ends, as a program in a pipe would.
  process.stdout.on('error', () => {
    end(NOBODY_READS);
    client.socket.destroy();
  });
  return status;
};
