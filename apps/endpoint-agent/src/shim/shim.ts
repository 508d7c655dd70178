/** What a shim is: a small script with an agent's name, in a folder that stands first in PATH, that starts the agent itself contained. Pure. */
import { CordonError } from '@cordon/policy/errors.ts';
import { PROFILES } from '@cordon/policy/agents/profiles.ts';

export interface Shim {
  readonly agent: string;
  readonly name: string;
}

/** Agents that are started by name in a terminal. Editors and desktop programs are not: they would start without a desktop. */
const BY_NAME: ReadonlySet<string> = new Set(['coding-cli', 'claw']);

/**
 * @param agents ids; none: every agent that is started by a name which no other known program has
 * @throws CordonError `shim.agent`
 */
export const shimsFor = (agents: readonly string[], os: 'linux' | 'macos'): Shim[] => {
  const namesOf = (id: string, isAsked: boolean): Shim[] => {
    const profile = PROFILES.find((candidate) => candidate.id === id);
    const names = (profile?.executables ?? [])
      .filter((group) => group.os.includes(os) && (isAsked || (group.verified && group.alsoNamed === undefined)))
      .flatMap((group) => group.names);
    if (isAsked && names.length === 0)
      throw new CordonError('shim.agent', `there is no agent ${id} that is started by a name: docs/agents.md has the ids`, { place: id });
    return [...new Set(names)].map((name) => ({ agent: id, name }));
  };
  return agents.length > 0
    ? agents.flatMap((id) => namesOf(id, true))
    : PROFILES.filter(({ kind }) => BY_NAME.has(kind)).flatMap(({ id }) => namesOf(id, false));
};

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The script. It passes its arguments on as they are, and finds the agent in the folders of PATH that are not the shims'. */
export const shimText = ({ agent, name }: Shim, folder: string, command: readonly string[]): string => `#!/bin/sh
# Cordon: starts ${agent} contained. Made by cordon shim install, and taken away by cordon shim remove.
set -f
IFS=:
for folder in $PATH; do
  case "$folder" in /*) ;; *) continue ;; esac
  [ "$folder" -ef ${quoted(folder)} ] && continue
  [ -f "$folder"/${quoted(name)} ] && [ -x "$folder"/${quoted(name)} ] || continue
  exec ${command.map(quoted).join(' ')} run --agent ${quoted(agent)} -- "$folder"/${quoted(name)} "$@"
done
echo ${quoted(`cordon: ${name} is in no other folder of PATH: is it installed? [shim.not-installed]`)} >&2
exit 127
`;

/** Puts the folder first in PATH, for shells that people log in with. */
export const profileText = (folder: string): string => `# Cordon: agents start contained. Taken away by cordon shim remove.
case ":$PATH:" in
  *:${folder}:*) ;;
  *) PATH=${quoted(folder)}:"$PATH" && export PATH ;;
esac
`;

/** Which program a shell would start. @param isProgram whether there is one at that place */
export const firstInPath = (name: string, path: string, isProgram: (place: string) => boolean): string | undefined =>
  path
    .split(':')
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => `${folder.replace(/\/+$/, '')}/${name}`)
    .find(isProgram);
