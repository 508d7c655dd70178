/** `cordon token --audience HOST [--json]`: inside a run, the run's own token for that audience, on standard output. */
import { readConfig } from '../config.ts';
import { ask, ownSocket } from '../local-api/client.ts';
import { argumentsOf } from './table.ts';

export const tokenCommand = async (args: readonly string[]): Promise<number> => {
  const { options, flags } = argumentsOf('token', args);
  const reply = await ask(ownSocket(readConfig()), { op: 'token', audience: options.get('audience') ?? '' });
  if (reply.type !== 'token') return 1;
  const { token, audience, expiresAt } = reply;
  process.stdout.write(flags.has('json') ? `${JSON.stringify({ token, audience, expiresAt })}\n` : `${token}\n`);
  return 0;
};
