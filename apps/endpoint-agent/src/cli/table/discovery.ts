/** Commands about the agents that a machine has. */
import { JSON_OPTION, type Command, type Option } from './command.ts';

const PREFIX: Option = { name: 'prefix', value: 'DIR', help: 'below this folder instead of the machine’s own places', completes: 'folder' };
const WHAT_A_SHIM_IS =
  'A shim is a script with the name of an agent, in a folder that stands first in PATH: whoever types that name gets the agent contained. It is a convenience; an absolute path, a package runner or an editor goes around it, and discovery is what finds that.';

export const DISCOVERY: readonly Command[] = [
  {
    name: 'agents',
    summary: 'the AI agents of this machine, and which run outside containment',
    about: [
      'Shows what is installed for this account and for everybody, with the MCP servers that settings name, and which of it runs; root sees all accounts. Names of programs and their places only: no arguments, no settings, no content.',
      'What is installed is listed anew every half an hour; what runs is looked at every few seconds.',
    ],
    options: [JSON_OPTION],
    statuses: [['4', 'an agent runs outside containment now']],
    load: async () => (await import('../agents.ts')).agentsCommand,
  },
  {
    name: 'shim install',
    words: '[AGENT...]',
    summary: 'make plain names of agents start them contained',
    about: [WHAT_A_SHIM_IS, 'Without ids: every agent of a terminal whose name no other known program has.'],
    options: [PREFIX, JSON_OPTION],
    load: async () => (await import('../shim.ts')).shimInstallCommand,
  },
  {
    name: 'shim remove',
    words: '[AGENT...]',
    summary: 'take shims away; all of them, if no agent is named',
    about: [WHAT_A_SHIM_IS],
    options: [PREFIX, JSON_OPTION],
    load: async () => (await import('../shim.ts')).shimRemoveCommand,
  },
  {
    name: 'shim status',
    summary: 'which shims there are, and what starts in this shell instead',
    about: [WHAT_A_SHIM_IS],
    options: [PREFIX, JSON_OPTION],
    load: async () => (await import('../shim.ts')).shimStatusCommand,
  },
];
