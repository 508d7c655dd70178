/** Commands about policies and manifests as files. They need no daemon. */
import { JSON_OPTION, type Command, type Option } from './command.ts';

const INVALID = [['2', 'something is wrong with a file; each place is printed']] as const;
const AGENT: Option = { name: 'agent', value: 'ID', help: 'the agent that it is about' };

export const DOCUMENTS: readonly Command[] = [
  {
    name: 'policy check',
    words: 'FILE...',
    completes: 'file',
    summary: 'what is wrong with policies, and where',
    about: ['Prints every error and every warning with its file, line and column.'],
    options: [JSON_OPTION],
    statuses: INVALID,
    load: async () => (await import('../policy.ts')).policyCheckCommand,
  },
  {
    name: 'policy diff',
    words: 'OLD NEW',
    completes: 'file',
    summary: 'what a change of a policy gives and takes',
    about: [
      'Says what is gained and lost for one agent, user and system, and whether the new policy is proven to grant nothing more, for any of them.',
    ],
    options: [AGENT, { name: 'os', value: 'OS', help: 'for which system', completes: ['linux', 'macos', 'windows'] }, JSON_OPTION],
    statuses: [['3', 'something may be gained']],
    load: async () => (await import('../policy.ts')).policyDiffCommand,
  },
  {
    name: 'manifest build',
    words: 'ENTRY',
    completes: 'file',
    summary: 'the manifest of an agent, from its source',
    about: ['Collects the calls of needs that the file reaches; nothing is run.'],
    options: [
      { name: 'name', value: 'NAME', help: 'its name; that of the package unless it is said' },
      AGENT,
      { name: 'out', value: 'FILE', help: 'where to write it; standard output unless it is said', completes: 'file' },
      JSON_OPTION,
    ],
    statuses: INVALID,
    load: async () => (await import('../manifest.ts')).manifestBuildCommand,
  },
  {
    name: 'manifest check',
    words: 'FILE...',
    completes: 'file',
    summary: 'what is wrong with manifests, and where',
    about: ['Prints every error with its file, line and column.'],
    options: [JSON_OPTION],
    statuses: INVALID,
    load: async () => (await import('../manifest.ts')).manifestCheckCommand,
  },
];
