/** Help, from the table of commands. */
import { COMMANDS } from './table.ts';
import { usageOf, type Command } from './table/command.ts';

const WIDTH = 100;

/** Words put into lines of at most so many columns, each after the margin. */
export const wrapped = (text: string, margin = '', width = WIDTH): string => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && margin.length + line.length + 1 + word.length > width) {
      lines.push(margin + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, margin + line].join('\n');
};

/** What `cordon help` says: each command in a line. */
export const generalHelp = (): string => {
  const shown = COMMANDS.filter(({ plumbing }) => plumbing !== true);
  const width = Math.max(...shown.map(({ name }) => name.length));
  return [
    "cordon: contains AI agents under your organisation's policy",
    '',
    ...shown.map(({ name, summary }) => `  cordon ${name.padEnd(width)}  ${summary}`),
    '',
    'cordon help COMMAND says more of one; cordon --version says which this is.',
    `For other programs, see docs/verifier.md: ${COMMANDS.filter(({ plumbing }) => plumbing === true)
      .map(({ name }) => name)
      .join(', ')}.`,
    '',
  ].join('\n');
};

/** What `cordon COMMAND --help` says. */
export const commandHelp = (command: Command): string => {
  const { name, summary, about, options, statuses = [] } = command;
  const optionText = options.map((option) => `--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`);
  const width = Math.max(0, ...optionText.map(({ length }) => length));
  const all = [['0', 'all is well'], ...statuses, ['125', 'it could not be done; the reason is on standard error, with its code']];
  return [
    `cordon ${name}: ${summary}`,
    '',
    wrapped(`Usage: ${usageOf(command)}`),
    '',
    ...about.flatMap((paragraph) => [wrapped(paragraph), '']),
    ...(options.length === 0 ? [] : ['Options:', ...options.map(({ help }, i) => `  ${(optionText[i] ?? '').padEnd(width)}  ${help}`), '']),
    'Exit status:',
    ...(statuses.some(([status]) => status === 'any') ? all.slice(1) : all).map(
      ([status = '', meaning = '']) => `  ${status.padEnd(3)}  ${meaning}`,
    ),
    '',
  ].join('\n');
};

/** Of a first word that several commands have, as `policy`; empty where none has it. */
export const groupHelp = (group: string): string =>
  COMMANDS.filter(({ name }) => name.startsWith(`${group} `))
    .map((command, _at, all) => `  cordon ${command.name.padEnd(Math.max(...all.map(({ name }) => name.length)))}  ${command.summary}\n`)
    .join('');
