/** What commands print: for people in lines, foreign text harmless; for programs as one JSON object a line. */
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

/** Setup failures have a status of their own, as shells have for "cannot execute". */
export const REFUSED_STATUS = 125;
export const DENIED_STATUS = 3;
