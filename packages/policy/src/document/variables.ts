/** Path variables: one meaning each, expanded per launch. */
import { CordonError } from '../errors.ts';
import type { PathVariables } from '../effective.ts';
import { canonicalPath } from '../match/path.ts';
import { SYSTEM_READ } from '../builtin.ts';

export const VARIABLES = ['home', 'workspace', 'tmp', 'tools', 'agent', 'system'] as const;

/** Checks a rule's path as written: a known variable at the beginning, or absolute; nothing that could lead elsewhere. */
export const checkPathText = (text: string): void => {
  const variable = /^\$\{([^}]*)\}(.*)$/s.exec(text);
  if (variable !== null) {
    const [, name = '', rest = ''] = variable;
    if (!VARIABLES.some((known) => known === name))
      throw new CordonError('path.variable', `\${${name}} is not a variable; there are ${VARIABLES.map((v) => `\${${v}}`).join(', ')}`, {
        place: text,
      });
    if (rest !== '' && !rest.startsWith('/') && !rest.startsWith('\\'))
      throw new CordonError('path.invalid', `after \${${name}} comes a separator`, { place: text });
    canonicalPath(`/x${rest.replaceAll('\\', '/')}`, 'linux');
    return;
  }
  if (text.includes('${')) throw new CordonError('path.variable', 'a variable may stand only at the beginning', { place: text });
  const canonical = canonicalPath(text, /^[A-Za-z]:[\\/]/.test(text) ? 'windows' : 'linux');
  if (canonical === '/' || /^[A-Z]:\\$/.test(canonical))
    throw new CordonError('path.too-wide', `${text} is everything; name the folders that are needed`, { place: text });
};

/**
 * Expands a checked path. A variable may stand for several folders (tools) or none (a workspace that is not permitted).
 * A path of another operating system's form expands to nothing there.
 */
export const expandPath = (text: string, variables: PathVariables, os: 'linux' | 'macos' | 'windows'): string[] => {
  const [, name, rest = ''] = /^\$\{([^}]*)\}(.*)$/s.exec(text) ?? [];
  if (name === undefined) return /^[A-Za-z]:[\\/]/.test(text) === (os === 'windows') ? [canonicalPath(text, os)] : [];
  const values: Record<string, readonly string[]> = {
    home: [variables.home],
    workspace: variables.workspace === undefined ? [] : [variables.workspace],
    tmp: [variables.tmp],
    tools: variables.tools,
    agent: variables.agent,
    system: os === 'linux' ? SYSTEM_READ : [],
  };
  return (values[name] ?? []).map((value) => canonicalPath(value + rest, os));
};
