/** Commands of what agents would need: learning, and asking for it. */
import { JSON_OPTION, type Command } from './command.ts';
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
  {
    name: 'request',
    words: 'PATH|HOST[:PORT]',
    completes: 'file',
    summary: 'ask for what was denied',
    about: [
      "Asks the organisation's administrators to allow what a policy denies. Nothing is allowed by asking. What no exception can give (credentials, the floor) is refused at once.",
      'Inside a run it makes a draft, marked as written by a program, that goes nowhere until its person confirms it outside: see cordon requests.',
    ],
    options: [
      { name: 'write', help: 'ask for writing' },
      { name: 'reason', value: 'TEXT', help: 'why it is needed, in one line' },
      AGENT,
      USER,
      JSON_OPTION,
    ],
    load: async () => (await import('../request.ts')).requestCommand,
  },
  {
    name: 'requests',
    summary: 'what you asked for, and what your runs drafted',
    about: ["Root sees everybody's. A draft is written by a program: look at what it asks for before you confirm it."],
    options: [JSON_OPTION],
    load: async () => (await import('../request.ts')).requestsCommand,
  },
  {
    name: 'requests confirm',
    words: 'ID',
    summary: 'make a draft of a run your own request, and send it',
    about: ['It stays marked as written by a program.'],
    options: [JSON_OPTION],
    load: async () => (await import('../request.ts')).confirmCommand,
  },
  {
    name: 'requests withdraw',
    words: 'ID',
    summary: 'withdraw a request, or drop a draft',
    about: ['What was sent already is told to be withdrawn.'],
    options: [JSON_OPTION],
    load: async () => (await import('../request.ts')).withdrawCommand,
  },
];
