/** What commands print: foreign text harmless, errors with code and advice. */
import { CordonError } from '@cordon/policy/errors.ts';
import { systemFault } from '@cordon/policy/system-fault.ts';
import { visible } from '@cordon/policy/visible.ts';

export const printError = (error: unknown): void => {
  const known = error instanceof CordonError ? error : systemFault(error);
  const { code, message } = known ?? { code: 'cordon.failed', message: error instanceof Error ? error.message : String(error) };
  process.stderr.write(`cordon: ${visible(message)} [${visible(code)}]\n`);
};

/** Setup failures have a status of their own, as shells have for "cannot execute". */
export const REFUSED_STATUS = 125;
export const DENIED_STATUS = 3;
