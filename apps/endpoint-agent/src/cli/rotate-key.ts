/** `cordon rotate-key`: replaces the key that this device proves itself by. Its id, its place and its policy stay. */
import { readConfig } from '../config.ts';
import { ask, ownSocket } from '../local-api/client.ts';
import { parseArguments } from './arguments.ts';

export const rotateKeyCommand = async (args: readonly string[]): Promise<number> => {
  parseArguments(args, { options: [], flags: [] });
  const reply = await ask(ownSocket(readConfig()), { op: 'rotate-key' });
  if (reply.type !== 'rotated') return 1;
  process.stdout.write(`the key of this device is now ${reply.key}\n`);
  return 0;
};
