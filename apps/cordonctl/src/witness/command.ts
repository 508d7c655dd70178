/** `cordonctl witness`: follows until it is stopped, or until there are two histories. */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CordonError } from '@cordon/policy/errors.ts';
import { visible } from '@cordon/policy/visible.ts';
import { createClient } from '../api/client.ts';
import { CONNECTION_OPTIONS, connectionFrom } from '../api/connection.ts';
import { openKey } from '../keys/key-file.ts';
import { TwoHistories } from './history.ts';
import { historyServer } from './server.ts';
import { openState, type StateFolder } from './state.ts';
import { startWitness } from './witness.ts';

const WAIT_SECONDS = 25;
const RETRY_MS = { first: 500, most: 30_000 } as const;

const say = (message: string): void => void process.stdout.write(`${new Date().toISOString()} ${visible(message)}\n`);

/** What no trying again mends. */
const isFinal = (error: unknown): boolean => !(error instanceof CordonError) || !error.retryable;

/** Says it so that nobody overlooks it, and keeps both checkpoints. @returns the exit status */
const cryOut = (error: CordonError, state: StateFolder): number => {
  const lines = [`WITNESS REFUSES: ${error.message} [${error.code}]`, 'nothing was signed, and nothing will be until somebody has looked'];
  if (error instanceof TwoHistories) {
    const { earlier, later } = error.finding;
    const evidence = { code: error.code, message: error.message, earlier: earlier.jws, later: later.jws };
    lines.push(`both checkpoints are kept in ${state.evidence(`${error.code}.json`, evidence)}`);
  }
  process.stderr.write(`${lines.map(visible).join('\n')}\n`);
  return 1;
};

const follow = async (args: ReturnType<typeof read>, state: StateFolder, signal: AbortSignal): Promise<void> => {
  const key = openKey(args.key);
  const server = historyServer(createClient(args.connection));
  const begin = () => startWitness({ server, state, key, fingerprint: args.fingerprint, now: () => new Date(), say });
  let witness = args.once ? await begin() : undefined;
  let pause: number = RETRY_MS.first;
  while (!signal.aborted) {
    try {
      witness ??= await begin();
      const more = await witness.step(args.once ? 0 : WAIT_SECONDS);
      if (args.once && !more) return;
      pause = RETRY_MS.first;
    } catch (error) {
      if (args.once || isFinal(error)) throw error;
      witness = undefined;
      say(`${error instanceof Error ? error.message : String(error)}; trying again`);
      // An aborted wait is the end that was asked for.
      await wait(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(pause * 2, RETRY_MS.most);
    }
  }
};

const read = (args: readonly string[]) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...CONNECTION_OPTIONS,
      key: { type: 'string' },
      state: { type: 'string' },
      fingerprint: { type: 'string' },
      once: { type: 'boolean', default: false },
    },
  });
  const { key, state, fingerprint, once } = values;
  if (key === undefined || state === undefined)
    throw new CordonError(
      'cli.usage',
      'cordonctl witness --key FILE --state DIR [--fingerprint ROOT] [--once], and the server as in other commands',
    );
  return { connection: connectionFrom(values), key, state, fingerprint, once };
};

/** Status 0: stopped, or with `--once` all of it was followed. 1: there are two histories, or what should be there is not. */
export const witnessCommand = async (args: readonly string[]): Promise<number> => {
  const options = read(args);
  const state = openState(options.state);
  const stop = new AbortController();
  // A request that waits for news ends with the process: nothing is half done in it.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => (stop.abort(), process.exit(0)));
  try {
    await follow(options, state, stop.signal);
    return 0;
  } catch (error) {
    if (error instanceof CordonError && /^(witness|checkpoint|jws|json|root)\./.test(error.code)) return cryOut(error, state);
    throw error;
  } finally {
    state.close();
  }
};
