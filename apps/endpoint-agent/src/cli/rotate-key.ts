/** `cordon rotate-key`: replaces the key that this device proves itself by. Its id, its place and its policy stay. */
import { readConfig } from '../config.ts';
import { ask, ownSocket } from '../local-api/client.ts';
import { printResult } from './output.ts';
import { argumentsOf } from './table.ts';

export const rotateKeyCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('rotate-key', args);
  const reply = await ask(ownSocket(readConfig()), { op: 'rotate-key' });
  if (reply.type !== 'rotated') return 1;
  printResult(given, { key: reply.key }, () => [`the key of this device is now ${reply.key}`]);
  return 0;
};
