/** Completion for bash, from the table of commands. */
import type { Completes } from '../table/command.ts';
import { firstWords, fixed, groups, offered, quoted } from './words.ts';

/** What a kind of word is completed by. */
const generator = (completes: Completes | undefined): string => {
  switch (completes) {
    case 'file':
      return 'compgen -f -- "$cur"';
    case 'folder':
      return 'compgen -d -- "$cur"';
    case 'user':
      return 'compgen -u -- "$cur"';
    case 'command':
      return 'compgen -c -- "$cur"';
    case 'run':
      return 'compgen -W "$(_cordon_runs)" -- "$cur"';
    case 'help':
      return `compgen -W ${quoted(
        firstWords()
          .map(([word]) => word)
          .join(' '),
      )} -- "$cur"`;
    case undefined:
    case 'nothing':
      return 'true';
    default:
      return `compgen -W ${quoted(fixed(completes).join(' '))} -- "$cur"`;
  }
};

export const bashCompletion = (): string => {
  const values = offered().flatMap(({ name, options }) =>
    options
      .filter(({ value }) => value !== undefined)
      .map((option) => `    ${quoted(`${name} --${option.name}`)}) ${generator(option.completes)}; return ;;`),
  );
  const verbs = [...groups()].map(
    ([first, commands]) =>
      `      ${first}) compgen -W ${quoted(commands.map(({ name }) => name.split(' ')[1] ?? '').join(' '))} -- "$cur" ;;`,
  );
  const words = offered().map(
    ({ name, options, completes }) =>
      `    ${quoted(name)}) if [[ $cur == -* ]]; then compgen -W ${quoted([...options.map((option) => `--${option.name}`), '--help'].join(' '))} -- "$cur"; else ${generator(completes)}; fi ;;`,
  );
  return `# bash completion for cordon, made by: cordon completion bash
_cordon_runs() {
  cordon runs --most 50 2>/dev/null | while read -r _ run _; do [[ $run == run_* ]] && echo "$run"; done
}

_cordon_words() {
  local IFS=$' \\t\\n' cur=$1 prev=$2 i; shift 2
  # What follows -- is another command's.
  for ((i = 2; i <= $#; i++)); do
    if [[ \${!i} == -- ]]; then
      if ((i == $#)); then compgen -c -- "$cur"; else compgen -f -- "$cur"; fi
      return
    fi
  done
  if (($# == 1)); then
    compgen -W ${quoted(
      firstWords()
        .map(([word]) => word)
        .join(' '),
    )} -- "$cur"
    return
  fi
  if (($# == 2)); then
    case $2 in
      help) ${generator('help')}; return ;;
${verbs.join('\n')}
    esac
  fi
  local name=$2
  case "$2 \${3-}" in ${offered()
    .filter(({ name }) => name.includes(' '))
    .map(({ name }) => quoted(name))
    .join('|')}) name="$2 $3" ;; esac
  case "$name $prev" in
${values.join('\n')}
  esac
  case $name in
${words.join('\n')}
  esac
}

_cordon() {
  local IFS=$'\\n'
  COMPREPLY=($(_cordon_words "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}" "\${COMP_WORDS[@]:0:COMP_CWORD}"))
  compopt -o filenames 2>/dev/null
}
complete -F _cordon cordon
`;
};
