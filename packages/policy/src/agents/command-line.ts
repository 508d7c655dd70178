/** What an interpreter was told to run, from its command line. Only that word is looked at, and nothing of a command line is ever reported. */

interface Grammar {
  readonly names: RegExp;
  /** Options whose value is the next word. */
  readonly valued: ReadonlySet<string>;
  /** Options after which there is no script: what runs is in the command line itself, or nothing does. */
  readonly inline: ReadonlySet<string>;
  /** Words before the script. */
  readonly verbs: ReadonlySet<string>;
  readonly module?: string;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

const GRAMMARS: readonly Grammar[] = [
  {
    names: /^(node|nodejs)$/,
    valued: words(
      `-r --require --import --loader --experimental-loader -C --conditions --env-file --env-file-if-exists --input-type --icu-data-dir --title
       --inspect-port --diagnostic-dir --disable-warning --experimental-config-file --openssl-config --redirect-warnings --trace-event-categories
       --trace-event-file-pattern --watch-path --max-http-header-size --localstorage-file`,
    ),
    inline: words('-e --eval -p --print -i --interactive -pe'),
    verbs: words('inspect'),
  },
  {
    names: /^bun$/,
    valued: words('-r --preload --require --import --cwd -c --config --env-file --define -d --loader -l --tsconfig-override'),
    inline: words('-e --eval -p --print'),
    verbs: words('run'),
  },
  {
    names: /^deno$/,
    valued: words('-c --config --import-map --lock --location --seed --cert --env-file --log-level -L'),
    inline: words('eval -e'),
    verbs: words('run serve'),
  },
  {
    names: /^(python|pypy)[0-9.]*$/,
    valued: words('-W -X -Q --check-hash-based-pycs'),
    inline: words('-c'),
    verbs: words(''),
    module: '-m',
  },
];

export type ToRun = { readonly kind: 'script'; readonly path: string } | { readonly kind: 'module'; readonly name: string };

/** Whether a program is one whose command line must be read to know what runs. @param name without folder and `.exe` */
export const runsScripts = (name: string): boolean => GRAMMARS.some(({ names }) => names.test(name));

/** @param argv with the interpreter's own name first. @returns undefined where it runs no file that is named, or is none of those that are known */
export const toRun = (name: string, argv: readonly string[]): ToRun | undefined => {
  const grammar = GRAMMARS.find(({ names }) => names.test(name));
  if (grammar === undefined) return undefined;
  let verbs = true;
  for (let i = 1; i < argv.length; i += 1) {
    const word = argv[i] ?? '';
    if (grammar.inline.has(word)) return undefined;
    if (word === grammar.module) return argv[i + 1] === undefined ? undefined : { kind: 'module', name: argv[i + 1] ?? '' };
    if (word === '--') return argv[i + 1] === undefined ? undefined : { kind: 'script', path: argv[i + 1] ?? '' };
    if (grammar.valued.has(word)) i += 1;
    else if (verbs && grammar.verbs.has(word)) verbs = false;
    else if (word !== '' && !word.startsWith('-')) return { kind: 'script', path: word };
  }
  return undefined;
};
