/** Completion for zsh, from the table of commands. */
import type { Command, Completes, Option } from '../table/command.ts';
import { firstWords, fixed, groups, offered, quoted } from './words.ts';

const action = (completes: Completes | undefined): string => {
  switch (completes) {
    case 'file':
      return '_files';
    case 'folder':
      return '_files -/';
    case 'user':
      return '_users';
    case 'command':
      return '_command_names';
    case 'run':
      return '_cordon_runs';
    case 'help':
    case 'nothing':
    case undefined:
      return '( )';
    default:
      return `(${fixed(completes).join(' ')})`;
  }
};

/** In a specification of _arguments, brackets and colons mean something. */
const plain = (text: string): string => text.replaceAll(/[[\]\\:]/g, String.raw`\$&`);

const optionSpec = ({ name, value, help, completes }: Option): string =>
  quoted(`--${name}[${plain(help)}]${value === undefined ? '' : `:${plain(value)}:${action(completes)}`}`);

const specsOf = ({ options, words, completes, rest }: Command): string =>
  [
    ...options.map(optionSpec),
    quoted('--help[what this command does]'),
    ...(words === undefined ? [] : [quoted(`*:${plain(words)}:${action(completes)}`)]),
    ...(rest === undefined ? [] : [quoted('*::command:_normal')]),
  ].join(' ');

const described = (words: readonly (readonly [string, string])[]): string =>
  words.map(([word, summary]) => quoted(`${plain(word)}:${plain(summary)}`)).join(' ');

export const zshCompletion = (): string => {
  const seconds = [...groups()].map(
    ([first, commands]) =>
      `      ${first}) seconds=(${described(commands.map(({ name, summary }) => [name.split(' ')[1] ?? '', summary]))}); [[ $words[3] == -* ]] || { _describe command seconds; return } ;;`,
  );
  const twoWords = offered()
    .filter(({ name }) => name.includes(' '))
    .map(({ name }) => quoted(name))
    .join('|');
  const cases = offered().map((command) => `    ${quoted(command.name)}) _arguments -s -S ${specsOf(command)} ;;`);
  return `#compdef cordon
# zsh completion for cordon, made by: cordon completion zsh
_cordon_runs() {
  local -a runs
  runs=(\${(f)"$(cordon runs --most 50 2>/dev/null | awk '$2 ~ /^run_/ { print $2 }')"})
  compadd -a runs
}

_cordon() {
  local name
  local -a firsts; firsts=(${described(firstWords())})
  if (( CURRENT == 2 )); then _describe command firsts; return; fi
  name=$words[2]
  if (( CURRENT == 3 )); then
    local -a seconds
    case $name in
      help) _describe command firsts; return ;;
${seconds.join('\n')}
    esac
  fi
  case "$words[2] $words[3]" in ${twoWords}) name="$words[2] $words[3]"; shift words; (( CURRENT-- )) ;; esac
  shift words; (( CURRENT-- ))
  case $name in
${cases.join('\n')}
  esac
}
compdef _cordon cordon
`;
};
