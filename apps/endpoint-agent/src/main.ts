/** The `cordon` command. Each subcommand is loaded when it is asked for, so that `cordon run` starts fast. */
import { RUN, STATUS } from './cli/table/everyday.ts';
import { findIn, type Found } from './cli/table/command.ts';

/** As shells tell of a program that was ended by SIGPIPE. */
const NOBODY_READS = 141;
const REFUSED = 125;
const HELP = ['--help', '-h'];

/** What starts most often is found without reading the whole table. */
const findCommand = async (words: readonly string[]): Promise<Found | undefined> =>
  findIn([RUN, STATUS], words) ?? findIn((await import('./cli/table.ts')).COMMANDS, words);

/** Help that was asked for, or that whoever names no command needs. */
const answerHelp = async (words: readonly string[]): Promise<number> => {
  const { commandHelp, generalHelp, groupHelp } = await import('./cli/help.ts');
  const isAsked = words.length === 0 || words[0] === 'help' || words.some((word) => HELP.includes(word));
  const named = (words[0] === 'help' ? words.slice(1) : words).filter((word) => !HELP.includes(word));
  const [first] = named;
  const found = await findCommand(named);
  const group = groupHelp(first ?? '');
  const isKnown = first === undefined || found !== undefined || group !== '';
  const out = isAsked && isKnown ? process.stdout : process.stderr;
  if (!isKnown) out.write(`cordon: there is no command ${JSON.stringify(first)} [cli.command]\n\n`);
  else if (!isAsked && found === undefined) out.write(`cordon: ${first} needs one of these words after it [cli.usage]\n\n`);
  out.write(found === undefined ? group || generalHelp() : commandHelp(found.command));
  return isAsked && isKnown ? 0 : 2;
};

const main = async (): Promise<number> => {
  const words = process.argv.slice(2);
  if (words[0] === '--version') {
    const { AGENT_VERSION } = await import('./version.ts');
    process.stdout.write(`cordon ${AGENT_VERSION}\n`);
    return 0;
  }
  const end = words.indexOf('--');
  const own = end === -1 ? words : words.slice(0, end);
  const found = own.some((word) => HELP.includes(word)) ? undefined : await findCommand(words);
  // Whoever read has read enough, as a pager does. A run has more to end than this process.
  if (found?.command.name !== 'run') process.stdout.on('error', () => process.exit(NOBODY_READS));
  if (found === undefined) return answerHelp(own);
  try {
    return await (
      await found.command.load()
    )(found.args);
  } catch (error) {
    const { printError } = await import('./cli/print-error.ts');
    printError(error, own.includes('--json'));
    return REFUSED;
  }
};

process.exitCode = await main();
