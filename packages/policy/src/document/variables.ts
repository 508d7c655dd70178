/** Path variables: one meaning each, the same on every operating system, expanded per launch. */
import { CordonError } from '../errors.ts';
import type { OperatingSystem, PathVariables } from '../effective.ts';
import { canonicalPath } from '../match/path.ts';
import { SYSTEM_READ } from '../builtin.ts';

export const VARIABLES = ['home', 'workspace', 'tmp', 'tools', 'agent', 'system'] as const;
export type Variable = (typeof VARIABLES)[number];

/** A rule's path, taken apart once: a variable and what comes after it, or an absolute path of one kind of system. */
export type PathTemplate =
  | { readonly kind: 'variable'; readonly variable: Variable; /** Begins with `/`, or is empty. */ readonly rest: string }
  | { readonly kind: 'posix' | 'windows'; readonly text: string };

const isVariable = (name: string): name is Variable => (VARIABLES as readonly string[]).includes(name);
const WINDOWS_PATH = /^[A-Za-z]:[\\/]/;

/**
 * @param text as written in a policy; both separators are understood after a variable
 * @throws CordonError `path.variable`, `path.invalid`, `path.glob`, `path.too-wide`
 */
export const parsePathText = (text: string): PathTemplate => {
  if (/^[\\/]{2}/.test(text))
    throw new CordonError(
      'path.invalid',
      `${JSON.stringify(text)} is a network share or a device on Windows; name a folder of the machine`,
      {
        place: text,
      },
    );
  if (/[*?[\]]/.test(text))
    throw new CordonError('path.glob', `${JSON.stringify(text)} holds a glob; name the folder itself: a rule covers everything below it`, {
      place: text,
    });
  const [, name, rest = ''] = /^\$\{([^}]*)\}(.*)$/s.exec(text) ?? [];
  if (name !== undefined) {
    if (!isVariable(name))
      throw new CordonError('path.variable', `\${${name}} is not a variable; there are ${VARIABLES.map((v) => `\${${v}}`).join(', ')}`, {
        place: text,
      });
    if (rest !== '' && !/^[\\/]/.test(rest)) throw new CordonError('path.invalid', `after \${${name}} comes a separator`, { place: text });
    const below = canonicalPath(`/${rest.replaceAll('\\', '/')}`, 'linux');
    return { kind: 'variable', variable: name, rest: below === '/' ? '' : below };
  }
  if (text.includes('${')) throw new CordonError('path.variable', 'a variable may stand only at the beginning', { place: text });
  const kind = WINDOWS_PATH.test(text) ? 'windows' : 'posix';
  const canonical = canonicalPath(text, kind === 'windows' ? 'windows' : 'linux');
  if (kind === 'windows' ? /^[A-Z]:\\$/.test(canonical) : canonicalPath(canonical, 'macos') === '/')
    throw new CordonError('path.too-wide', `${text} is everything; name the folders that are needed`, { place: text });
  return { kind, text: canonical };
};

/** What a variable stands for in one launch. */
export const valuesOf = (variable: Variable, variables: PathVariables, os: OperatingSystem): readonly string[] => {
  switch (variable) {
    case 'home':
      return [variables.home];
    case 'workspace':
      return variables.workspace === undefined ? [] : [variables.workspace];
    case 'tmp':
      return [variables.tmp];
    case 'tools':
      return variables.tools;
    case 'agent':
      return variables.agent;
    case 'system':
      return os === 'linux' ? SYSTEM_READ[os] : SYSTEM_READ[os].map((path) => canonicalPath(path, os));
  }
};

/**
 * A variable may stand for several folders (tools) or none (a workspace that is not permitted). A path of another system's form is nowhere on this one.
 * Values are canonical, so the result is.
 */
export const expandPath = (template: PathTemplate, variables: PathVariables, os: OperatingSystem): readonly string[] => {
  if (template.kind !== 'variable')
    return (template.kind === 'windows') === (os === 'windows') ? [os === 'macos' ? canonicalPath(template.text, os) : template.text] : [];
  const values = valuesOf(template.variable, variables, os);
  if (template.rest === '') return values;
  if (os === 'linux') return values.map((value) => (value === '/' ? template.rest : value + template.rest));
  return values.map((value) => canonicalPath(value + template.rest, os));
};
