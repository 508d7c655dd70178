/** The description of the service for this system's manager, and the command on everybody's PATH: texts, made from what is packed. */
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { environmentOf, type Layout, type System } from './layout.ts';

export const TEMPLATES: Readonly<Record<System, string>> = {
  linux: 'cordon.service',
  darwin: 'org.cordon.agent.plist',
  win32: 'windows-task.xml',
};

const NODE: Readonly<Record<System, string>> = { linux: 'bin/node', darwin: 'bin/node', win32: 'bin/node.exe' };

const joinFor = (system: System): ((...parts: string[]) => string) => (system === 'win32' ? path.win32.join : path.posix.join);

/** Places that a manager or a shell would read as something else than a path. */
const PLAIN = /^(?:[A-Z]:)?[A-Za-z0-9 ()./\\_-]+$/;

const programs = (system: System, layout: Layout): { readonly node: string; readonly program: string } => {
  const join = joinFor(system);
  const current = join(layout.home, 'current');
  return { node: join(current, NODE[system]), program: join(current, 'lib/cordon.js') };
};

/** @throws CordonError `install.place` where a place has signs that a service manager gives a meaning to */
export const unitText = (template: string, system: System, layout: Layout): string => {
  const { node, program } = programs(system, layout);
  const values: Readonly<Record<string, string>> = {
    NODE: node,
    PROGRAM: program,
    HOME: layout.home,
    SETTINGS: layout.settings,
    STATE: layout.state,
    RUNTIME: layout.runtime,
    LOG: layout.log,
  };
  for (const place of Object.values(values))
    if (!PLAIN.test(place) || (system === 'linux' && place.includes(' ')))
      throw new CordonError(
        'install.place',
        `${JSON.stringify(place)} has signs in it that a service cannot be given: choose another prefix`,
        { place },
      );
  return template.replaceAll(/@([A-Z]+)@/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined)
      throw new CordonError('install.template', `${whole} in the description of the service means nothing to this version`);
    return value;
  });
};

/** The command that everybody gets: the version in use, with the sockets of this machine's daemon. */
export const commandText = (system: System, layout: Layout): string => {
  const { node, program } = programs(system, layout);
  const settings = joinFor(system)(layout.settings, path.basename(environmentOf(layout)));
  const flags = '--disable-warning=ExperimentalWarning';
  if (system === 'win32')
    return `@echo off\r\nif not defined CORDON_AGENT_RUNTIME set "CORDON_AGENT_RUNTIME=${layout.runtime}"\r\n"${node}" ${flags} "--env-file-if-exists=${settings}" "${program}" %*\r\n`;
  // Settings are the daemon's, and root's where it enrols by hand: what they say of proxies is nothing that runs of other accounts should be started with.
  return `#!/bin/sh
# Made by cordon install.
export CORDON_AGENT_RUNTIME="\${CORDON_AGENT_RUNTIME:-${layout.runtime}}"
if [ "$(id -u)" = 0 ]; then
  export CORDON_AGENT_STATE="\${CORDON_AGENT_STATE:-${layout.state}}"
  exec "${node}" ${flags} "--env-file-if-exists=${settings}" "${program}" "$@"
fi
exec "${node}" ${flags} "${program}" "$@"
`;
};
