/** What commands print: for people in lines, foreign text harmless; for programs as one JSON object a line; errors with code and advice. */
import { CordonError } from '@cordon/policy/errors.ts';
import { systemFault } from '@cordon/policy/system-fault.ts';
import { visible } from '@cordon/policy/visible.ts';

/** The one way to print a result. @param lines what a person reads */
export const printResult = (
  { flags }: { readonly flags: ReadonlySet<string> },
  value: unknown,
  lines: () => readonly string[],
  out: NodeJS.WritableStream = process.stdout,
): void =>
  void out.write(
    flags.has('json')
      ? `${JSON.stringify(value)}\n`
      : lines()
          .map((line) => `${visible(line)}\n`)
          .join(''),
  );

export const printError = (error: unknown, json = false): void => {
  const known = error instanceof CordonError ? error : systemFault(error);
  const { code, message } = known ?? { code: 'cordon.failed', message: error instanceof Error ? error.message : String(error) };
  const text = json ? JSON.stringify({ error: { code, message } }) : `cordon: ${visible(message)} [${visible(code)}]`;
  process.stderr.write(`${text}\n`);
};

/** Setup failures have a status of their own, as shells have for "cannot execute". */
export const REFUSED_STATUS = 125;
export const DENIED_STATUS = 3;
