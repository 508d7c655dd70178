/** What commands print: foreign text harmless, errors with code and advice. */
import { CordonError } from '@cordon/policy/errors.ts';

/** Control and bidirectional characters made visible: names of hosts, paths and policies are somebody else's text. */
export const visible = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

export const printError = (error: unknown): void => {
  const { code, message } = error instanceof CordonError ? error : { code: 'cordon.failed', message: error instanceof Error ? error.message : String(error) };
  process.stderr.write(`cordon: ${visible(message)} [${code}]\n`);
};

/** Setup failures have a status of their own, as shells have for "cannot execute". */
export const REFUSED_STATUS = 125;
export const DENIED_STATUS = 3;
