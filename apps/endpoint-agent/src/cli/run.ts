/**
 * `cordon run [--agent ID] [--user NAME] [--manifest FILE] [--tty | --no-tty] -- COMMAND`: the command, contained. Its exit status is the command's; 125 means that it
 * was not started. Asked for at a terminal, it gets one of its own; this one only passes on what is typed and shown.
 */
import tty from 'node:tty';
import { CordonError } from '@cordon/policy/errors.ts';
import { callerValues, readConfig } from '../config.ts';
import type { Arguments } from './arguments.ts';
import { connectLocal, ownSocket } from '../local-api/client.ts';
import { KIND, type Reply, type TerminalWish } from '../local-api/protocol.ts';
import { manifestText } from './manifest-text.ts';
import { REFUSED_STATUS } from './output.ts';
import { printError } from './print-error.ts';
import { sendInput } from './input.ts';
import { argumentsFor, misused } from './table/command.ts';
import { RUN } from './table/everyday.ts';
import type { HeldTerminal } from './terminal.ts';

/** As shells tell of a program that was ended by SIGPIPE. */
const NOBODY_READS = 141;

/** What terminals were before they could say: where `--tty` asks for one and there is none. */
const USUAL_SIZE = { rows: 24, columns: 80 };

const sizeOf = ({ rows, columns }: Partial<typeof USUAL_SIZE>): typeof USUAL_SIZE =>
  rows !== undefined && columns !== undefined && rows > 0 && columns > 0 ? { rows, columns } : USUAL_SIZE;

/** @returns undefined when the run gets pipes */
const wishedFor = (flags: ReadonlySet<string>): TerminalWish | undefined => {
  if (flags.has('tty') && flags.has('no-tty')) throw misused(RUN, 'It is --tty or --no-tty');
  if (flags.has('no-tty') || !(flags.has('tty') || (tty.isatty(0) && tty.isatty(1)))) return undefined;
  const name = callerValues(['TERM'])['TERM'] ?? '';
  return {
    ...sizeOf(process.stdout),
    name: /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/.test(name) ? name : 'dumb',
    // Where errors go to a file or a pipe, they still do.
    stderr: !tty.isatty(0) || tty.isatty(2),
  };
};

export const runCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsFor(RUN, args);
  if (given.rest.length === 0) throw misused(RUN, 'The command stands after --');
  return runAs(given);
};

/** @param onLearned hears what the daemon says; the run is learned from then */
export const runAs = async ({ options, flags, rest }: Arguments, onLearned?: (reply: Reply) => void): Promise<number> => {
  const terminal = wishedFor(flags);
  const hold = terminal !== undefined && tty.isatty(0) ? (await import('./terminal.ts')).holdTerminal : undefined;
  const manifest = await manifestText(options.get('manifest'));
  let settle: (status: number) => void = () => undefined;
  const status = new Promise<number>((resolve) => (settle = resolve));
  let isTold = false;
  let onTaken: (cost: number) => void = () => undefined;
  let held: HeldTerminal | undefined;
  const findings: CordonError[] = [];
  const resize = (): void => client.send({ op: 'resize', ...sizeOf(process.stdout) });
  const end = (exitStatus: number): void => {
    isTold = true;
    held?.giveBack();
    for (const finding of findings.splice(0)) printError(finding);
    settle(exitStatus);
    // Whatever still comes on standard input is nobody's.
    process.stdin.destroy();
  };
  const onReply = (reply: Reply): void => {
    onLearned?.(reply);
    if (reply.type === 'started') {
      try {
        held = hold?.(resize);
      } catch (error) {
        end(REFUSED_STATUS);
        printError(error);
        return void client.socket.destroy();
      }
      if (terminal !== undefined) process.stdout.on('resize', resize);
      onTaken = sendInput(process.stdin, client.socket);
    }
    // Told when the run is over: its terminal is its own until then.
    if (reply.type === 'finding') findings.push(new CordonError(reply.code, reply.message));
    if (reply.type === 'taken') onTaken(reply.cost);
    if (reply.type === 'environment') client.send({ op: 'environment', values: callerValues(reply.names) });
    if (reply.type === 'notice') void import('./notice.ts').then(({ printNotice }) => printNotice(reply, held !== undefined));
    if (reply.type === 'ended') {
      end(reply.exitCode);
      if (reply.reason !== 'exited') process.stderr.write(`cordon: the run was ended (${reply.reason})\n`);
    }
    if (reply.type === 'error') {
      end(REFUSED_STATUS);
      printError(new CordonError(reply.code, reply.message));
    }
  };
  const client = await connectLocal(ownSocket(readConfig()), (kind, payload) => {
    if (kind === KIND.control) onReply(JSON.parse(payload.toString('utf8')) as Reply);
    else (kind === KIND.stdout ? process.stdout : process.stderr).write(payload);
  });
  const [agent, user] = [options.get('agent'), options.get('user')];
  const who = { ...(agent !== undefined && { agent }), ...(user !== undefined && { user }), ...(manifest !== undefined && { manifest }) };
  client.send({
    op: 'run',
    argv: rest,
    cwd: process.cwd(),
    ...who,
    ...(terminal !== undefined && { terminal }),
    ...(onLearned !== undefined && { learn: true }),
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => client.send({ op: 'signal', signal: 'terminate' }));
  client.socket.once('close', () => {
    const isNews = !isTold;
    end(REFUSED_STATUS);
    if (isNews) printError(new CordonError('daemon.gone', 'the daemon went away, and what it ran with it'));
  });
  // Nobody reads any more: the run ends, as a program in a pipe would.
  process.stdout.on('error', () => {
    end(NOBODY_READS);
    client.socket.destroy();
  });
  return status;
};
