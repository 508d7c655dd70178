/** The control plane's own command, which has the database. It is another program, started here with the same environment (CORDON_STATE, DATABASE_URL); no secret is an argument. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { CordonError } from '@cordon/policy/errors.ts';

const command = (args: readonly string[]): string[] => [
  '--disable-warning=ExperimentalWarning',
  path.join(import.meta.dirname, '../../../control-plane/src/main.ts'),
  ...args,
];

/** What it says is said here. @returns 0, or 2 when it could not be done */
export const drive = async (args: readonly string[]): Promise<number> => {
  const child = spawn(process.execPath, command(args), { stdio: 'inherit' });
  const [status] = (await once(child, 'exit')) as [number | null];
  return status === 0 ? 0 : 2;
};

/** @returns what it printed. @throws CordonError `recovery.control-plane` */
export const ask = async (args: readonly string[]): Promise<string> => {
  const child = spawn(process.execPath, command(args), { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said, [status]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number | null]>]);
  if (status !== 0)
    throw new CordonError(
      'recovery.control-plane',
      `the control plane's own command ended with ${status ?? 'a signal'}: what it said stands above`,
    );
  return said;
};
