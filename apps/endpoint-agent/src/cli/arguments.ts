/** Options of a command: `--name value`, flags, and everything after `--` as it is. */
import { CordonError } from '@cordon/policy/errors.ts';

export interface Arguments {
  readonly options: ReadonlyMap<string, string>;
  readonly flags: ReadonlySet<string>;
  readonly words: readonly string[];
  /** What stands after `--`. */
  readonly rest: readonly string[];
}

/** @throws CordonError `cli.usage` */
export const parseArguments = (
  args: readonly string[],
  known: { readonly options: readonly string[]; readonly flags: readonly string[] },
): Arguments => {
  const options = new Map<string, string>();
  const flags = new Set<string>();
  const words: string[] = [];
  const end = args.indexOf('--');
  const before = end === -1 ? args : args.slice(0, end);
  for (let i = 0; i < before.length; i += 1) {
    const word = before[i] ?? '';
    if (!word.startsWith('--')) words.push(word);
    else if (known.flags.includes(word.slice(2))) flags.add(word.slice(2));
    else if (known.options.includes(word.slice(2)) && before[i + 1] !== undefined) options.set(word.slice(2), before[(i += 1)] ?? '');
    else
      throw new CordonError(
        'cli.usage',
        `${word} is not known here, or its value is missing; known: ${[...known.options, ...known.flags].map((name) => `--${name}`).join(', ')}`,
      );
  }
  return { options, flags, words, rest: end === -1 ? [] : args.slice(end + 1) };
};
