/** What a command of `cordon` is, as data: dispatch, the parsing of its arguments, help, completion and the man page all come from this. */
import { CordonError } from '@cordon/policy/errors.ts';
import { parseArguments, type Arguments } from '../arguments.ts';

/** What a shell offers in the place of a word. */
export type Completes = 'nothing' | 'file' | 'folder' | 'user' | 'command' | 'run' | 'help' | readonly string[];

export interface Option {
  readonly name: string;
  /** What stands after it, in capitals; a flag has nothing. */
  readonly value?: string;
  readonly help: string;
  readonly required?: boolean;
  readonly completes?: Completes;
}

export interface Command {
  /** One word, or two: `policy check`. */
  readonly name: string;
  /** Its words, as a usage line shows them. */
  readonly words?: string;
  readonly completes?: Completes;
  /** What stands after `--`, as a usage line shows it. */
  readonly rest?: string;
  /** One line, without a period. */
  readonly summary: string;
  /** Paragraphs of its own help and of the man page. */
  readonly about: readonly string[];
  readonly options: readonly Option[];
  /** What its exit status means, beside 0 and 125. */
  readonly statuses?: readonly (readonly [status: string, meaning: string])[];
  /** For other programs rather than for people: left out of the short help. */
  readonly plumbing?: boolean;
  load(): Promise<(args: readonly string[]) => Promise<number>>;
}

export const JSON_OPTION: Option = { name: 'json', help: 'print JSON, for programs' };

/** `cordon why PATH [--write] [--agent ID]` */
export const usageOf = ({ name, words, rest, options }: Command): string =>
  [
    `cordon ${name}`,
    ...(words === undefined ? [] : [words]),
    ...options.map(({ name: option, value, required }) => {
      const text = `--${option}${value === undefined ? '' : ` ${value}`}`;
      return required === true ? text : `[${text}]`;
    }),
    ...(rest === undefined ? [] : [`-- ${rest}`]),
  ].join(' ');

/** To be thrown where a command is asked for in a way that it is not. */
export const misused = (command: Command, why = ''): CordonError =>
  new CordonError('cli.usage', `${why === '' ? '' : `${why}. `}Usage: ${usageOf(command)}. More: cordon help ${command.name}`);

/** The arguments of a command, by its entry in the table. @throws CordonError `cli.usage` */
export const argumentsFor = (command: Command, args: readonly string[]): Arguments => {
  const { options } = command;
  const parsed = parseArguments(args, {
    options: options.flatMap(({ name, value }) => (value === undefined ? [] : [name])),
    flags: options.flatMap(({ name, value }) => (value === undefined ? [name] : [])),
  });
  if (command.words === undefined && parsed.words.length > 0) throw misused(command, `${parsed.words[0]} is not expected here`);
  for (const { name, required } of options)
    if (required === true && !parsed.options.has(name)) throw misused(command, `--${name} is missing`);
  return parsed;
};

export interface Found {
  readonly command: Command;
  /** What follows its name. */
  readonly args: readonly string[];
}

/** @returns the command that the words name, by two of them or by one; undefined when they name none of these */
export const findIn = (commands: readonly Command[], words: readonly string[]): Found | undefined => {
  for (const length of [2, 1]) {
    const command = commands.find(({ name }) => name.split(' ').length === length && name.split(' ').every((word, i) => word === words[i]));
    if (command !== undefined) return { command, args: words.slice(length) };
  }
  return undefined;
};
