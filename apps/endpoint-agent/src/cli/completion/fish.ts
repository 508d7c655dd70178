/** Completion for fish, from the table of commands. */
import type { Command, Completes } from '../table/command.ts';
import { firstWords, fixed, groups, offered } from './words.ts';

/** fish knows backslash and quote inside single quotes, and nothing else. */
const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;

const source = (completes: Completes | undefined): string => {
  switch (completes) {
    case 'file':
      return '-F';
    case 'folder':
      return "-f -a '(__fish_complete_directories)'";
    case 'user':
      return "-f -a '(__fish_complete_users)'";
    case 'command':
      return "-f -a '(__fish_complete_command)'";
    case 'run':
      return "-f -a '(__cordon_runs)'";
    case 'help':
    case 'nothing':
    case undefined:
      return '-f';
    default:
      return `-f -a ${quoted(fixed(completes).join(' '))}`;
  }
};

/** Whether the words so far are this command. */
const isFor = ({ name }: Command): string => quoted(`__cordon_is ${name}`);

export const fishCompletion = (): string =>
  [
    '# fish completion for cordon, made by: cordon completion fish',
    'function __cordon_runs',
    "  cordon runs --most 50 2>/dev/null | string match -r --groups-only '^\\S+\\s+(run_\\S+)'",
    'end',
    'function __cordon_is',
    '  set -l words (commandline -opc)[2..]',
    '  for i in (seq (count $argv))',
    '    test "$words[$i]" = "$argv[$i]"; or return 1',
    '  end',
    'end',
    'function __cordon_at',
    '  test (count (commandline -opc)) -eq $argv[1]',
    'end',
    'complete -c cordon -f',
    ...firstWords().map(([word, summary]) => `complete -c cordon -n '__cordon_at 1' -f -a ${quoted(word)} -d ${quoted(summary)}`),
    ...firstWords().map(([word]) => `complete -c cordon -n '__cordon_at 2; and __cordon_is help' -f -a ${quoted(word)}`),
    ...[...groups()].flatMap(([first, commands]) =>
      commands.map(
        ({ name, summary }) =>
          `complete -c cordon -n ${quoted(`__cordon_at 2; and __cordon_is ${first}`)} -f -a ${quoted(name.split(' ')[1] ?? '')} -d ${quoted(summary)}`,
      ),
    ),
    ...offered().flatMap((command) => [
      ...command.options.map(
        ({ name, value, help, completes }) =>
          `complete -c cordon -n ${isFor(command)} -l ${name} -d ${quoted(help)}${value === undefined ? '' : ` -r ${source(completes)}`}`,
      ),
      ...(command.completes === undefined ? [] : [`complete -c cordon -n ${isFor(command)} ${source(command.completes)}`]),
      ...(command.rest === undefined ? [] : [`complete -c cordon -n ${isFor(command)} -a '(__fish_complete_subcommand)'`]),
    ]),
    '',
  ].join('\n');
