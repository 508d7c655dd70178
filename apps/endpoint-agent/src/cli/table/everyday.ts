/** Commands of the person whose agents are contained. */
import { JSON_OPTION, type Command, type Option } from './command.ts';

export const AGENT: Option = { name: 'agent', value: 'ID', help: 'which agent it is; a claim, which gains nothing that needs proof' };
export const USER: Option = { name: 'user', value: 'NAME', help: 'for which account; only root may say', completes: 'user' };
export const MANIFEST: Option = {
  name: 'manifest',
  value: 'FILE',
  help: "the program's manifest: what it needs, and so all that it gets",
  completes: 'file',
};

/** By themselves: these two are to start fast, without the rest of the table. */
export const RUN: Command = {
  name: 'run',
  rest: 'COMMAND [ARGUMENT...]',
  summary: 'run a command, contained',
  about: [
    'Runs the command under the policy of this device. At a terminal it gets a terminal of its own; otherwise its input and output are passed on as they are.',
    'The working directory becomes the workspace where the policy permits it as one. Root names the account that runs the command; nothing runs as root.',
  ],
  options: [
    AGENT,
    USER,
    MANIFEST,
    { name: 'tty', help: 'give it a terminal, also where there is none here' },
    { name: 'no-tty', help: 'give it pipes, also at a terminal' },
  ],
  statuses: [['any', "the command's own exit status; 137 when the run was ended, 124 when its time was over"]],
  load: async () => (await import('../run.ts')).runCommand,
};
export const STATUS: Command = {
  name: 'status',
  summary: 'what is enforced here, and whether that was proved',
  about: [
    'Says which policies are in force and how fresh they are, whether the last self-test passed, and what is missing. Inside a run: which run this is.',
  ],
  options: [JSON_OPTION],
  load: async () => (await import('../status.ts')).statusCommand,
};

export const EVERYDAY: readonly Command[] = [
  RUN,
  STATUS,
  {
    name: 'token',
    summary: 'inside a run: its own identity, for one audience',
    about: [
      'Prints a token that whoever it is for can verify, for at most five minutes: which device and which policy, as the control plane verified them, and which user, agent and run, as this device says. Only for hosts that a policy of this run lets receive its identity, and only while the run lives.',
    ],
    options: [{ name: 'audience', value: 'HOST', help: 'whom it is for', required: true }, JSON_OPTION],
    load: async () => (await import('../token.ts')).tokenCommand,
  },
  {
    name: 'why',
    words: "PATH|HOST[:PORT]|CONTROL|'$NAME'",
    completes: 'file',
    summary: 'whether something is allowed, and by which rule',
    about: [
      'Decides as it would for a run of this account, also while the control plane is away. A path holds a slash or begins with a dot or a tilde; everything else is a host, the name of a control such as ui.clipboard.read, or a variable with $ before it.',
    ],
    options: [{ name: 'write', help: 'ask about writing' }, AGENT, USER, MANIFEST, JSON_OPTION],
    statuses: [['3', 'it is denied']],
    load: async () => (await import('../why.ts')).whyCommand,
  },
  {
    name: 'runs',
    summary: 'your runs, newest first',
    about: ["Root sees everybody's. This device remembers the newest of each account."],
    options: [{ name: 'most', value: 'N', help: 'how many; 20 unless it is said' }, JSON_OPTION],
    load: async () => (await import('../runs.ts')).runsCommand,
  },
  {
    name: 'explain',
    words: '[RUN]',
    completes: 'run',
    summary: 'what a run was given, what was denied to it, and how it ended',
    about: [
      'Says for each denial which rule it was, whose, and how to ask for it. Without a run: the newest of yours. Only whoever owns a run, and root, may look at it.',
    ],
    options: [JSON_OPTION],
    load: async () => (await import('../explain.ts')).explainCommand,
  },
  {
    name: 'logs',
    words: '[RUN]',
    completes: 'run',
    summary: 'what happened to a run, or what the daemon said',
    about: ["With a run of yours, its events. Without one, the daemon's own log, which only root and the daemon's account may read."],
    options: [{ name: 'follow', help: 'go on with what comes' }, JSON_OPTION],
    load: async () => (await import('../logs.ts')).logsCommand,
  },
];
