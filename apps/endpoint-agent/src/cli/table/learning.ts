/** Commands of what agents would need: learning, and asking for it. */
import type { Command } from './command.ts';
import { AGENT, MANIFEST, USER } from './everyday.ts';

export const LEARNING: readonly Command[] = [
  {
    name: 'learn',
    rest: 'COMMAND [ARGUMENT...]',
    summary: 'run a command, contained, and learn what it needs',
    about: [
      'Runs the command like `cordon run`, under the same policy and as contained. Afterwards it says what the command used and what was refused to it, as a manifest of the command and as a policy that would give what was missing. Both are for people to review; nothing is changed by them.',
      'Requests to the network are all seen, by the egress proxy. Files are seen where strace is installed and may trace: what the command and all that it starts asked for, and what they were told. That makes the command several times slower.',
    ],
    options: [
      AGENT,
      USER,
      MANIFEST,
      { name: 'tty', help: 'give it a terminal, also where there is none here' },
      { name: 'no-tty', help: 'give it pipes, also at a terminal' },
      { name: 'out', value: 'FILE', help: 'where the manifest is written; to standard error otherwise', completes: 'file' },
      { name: 'policy', value: 'FILE', help: 'where the policy is written; to standard error otherwise', completes: 'file' },
    ],
    statuses: [['any', "the command's own exit status"]],
    load: async () => (await import('../learn.ts')).learnCommand,
  },
];
