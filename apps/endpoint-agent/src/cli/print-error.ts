/** Errors with their code and advice: a line for people, JSON for programs. */
import { CordonError } from '@cordon/policy/errors.ts';
import { systemFault } from '@cordon/policy/system-fault.ts';
import { visible } from '@cordon/policy/visible.ts';

export const printError = (error: unknown, json = false): void => {
  const known = error instanceof CordonError ? error : systemFault(error);
  const { code, message } = known ?? { code: 'cordon.failed', message: error instanceof Error ? error.message : String(error) };
  const text = json ? JSON.stringify({ error: { code, message } }) : `cordon: ${visible(message)} [${visible(code)}]`;
  process.stderr.write(`${text}\n`);
};
