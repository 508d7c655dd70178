/** `cordon man`: the manual page, from the table of commands. Kept as docs/cordon.1, which a test holds against this. */
import { AGENT_VERSION } from '../version.ts';
import { argumentsOf, COMMANDS } from './table.ts';
import { usageOf, type Command } from './table/command.ts';

/** Text that means nothing to roff: groff_char(7). */
const plain = (text: string): string =>
  text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll(/^([.'])/gm, String.raw`\&$1`)
    .replaceAll(/[^\u0020-\u007e\n]/g, (char) => `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`);

const optionLines = ({ name, value, help }: Command['options'][number]): string[] => [
  '.TP',
  `\\fB\\-\\-${plain(name)}\\fR${value === undefined ? '' : ` \\fI${plain(value)}\\fR`}`,
  plain(`${help}.`),
];

const commandLines = (command: Command): string[] => [
  `.SS cordon ${plain(command.name)}`,
  plain(`${command.summary}.`),
  '.PP',
  `\\fB${plain(usageOf(command))}\\fR`,
  ...command.about.flatMap((paragraph) => ['.PP', plain(paragraph)]),
  ...command.options.flatMap(optionLines),
  ...(command.statuses ?? []).flatMap(([status, meaning]) => ['.TP', `exit status ${plain(status)}`, plain(`${meaning}.`)]),
];

const VARIABLES: readonly (readonly [name: string, meaning: string])[] = [
  ['CORDON_AGENT_STATE', "the folder of the daemon's state"],
  ['CORDON_AGENT_RUNTIME', 'the folder of its sockets'],
  ['CORDON_CA_FILE', "certificates of the company's own authorities"],
  ['HTTPS_PROXY, NO_PROXY', 'the way to the control plane through a proxy'],
  ['CORDON_EGRESS_PROXY', "the company's proxy that the way out of every run goes through"],
];

/** @param version of this program */
export const manPage = (version: string): string =>
  [
    `.TH CORDON 1 "" "Cordon ${version}" "Cordon"`,
    '.SH NAME',
    "cordon \\- contains AI agents under your organisation's policy",
    '.SH SYNOPSIS',
    ...COMMANDS.filter(({ plumbing }) => plumbing !== true).flatMap((command) => [`\\fB${plain(usageOf(command))}\\fR`, '.br']),
    '.SH DESCRIPTION',
    plain(
      'Runs AI agents inside the sandbox of this system, with what the policies of your organisation give them and no more, and says why anything was denied. What a run may do is decided on this device, also while the control plane is away.',
    ),
    '.SH COMMANDS',
    ...COMMANDS.flatMap(commandLines),
    '.SH EXIT STATUS',
    '.TP',
    '0',
    'all is well.',
    '.TP',
    '2',
    'there is no such command.',
    '.TP',
    '125',
    plain('it could not be done; the reason is on standard error, with its code. With --json it is a JSON object.'),
    '.SH ENVIRONMENT',
    ...VARIABLES.flatMap(([name, meaning]) => ['.TP', `\\fB${plain(name)}\\fR`, plain(`${meaning}.`)]),
    '.SH SEE ALSO',
    '.BR bwrap (1)',
    '',
  ].join('\n');

export const manCommand = async (args: readonly string[]): Promise<number> => {
  argumentsOf('man', args);
  process.stdout.write(manPage(AGENT_VERSION));
  return 0;
};
