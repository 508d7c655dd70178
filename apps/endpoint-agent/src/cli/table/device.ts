/** Commands of whoever looks after the machine. */
import { JSON_OPTION, type Command } from './command.ts';

export const DEVICE: readonly Command[] = [
  {
    name: 'enroll',
    summary: 'join an organisation',
    about: [
      'The token comes by --token-file, CORDON_ENROLL_TOKEN_FILE, CORDON_TOKEN, the configuration file of an unattended installation, or standard input; never as an argument, where other accounts could read it.',
    ],
    options: [
      { name: 'server', value: 'URL', help: 'the control plane, such as https://cordon.example:7401' },
      { name: 'token-file', value: 'FILE', help: 'where the enrollment token is', completes: 'file' },
      { name: 'retry', help: 'ask until it is answered' },
      { name: 'again', help: 'once more, as a new device of the same organisation' },
      JSON_OPTION,
    ],
    load: async () => (await import('../enroll.ts')).enrollCommand,
  },
  {
    name: 'doctor',
    summary: 'what is missing on this machine, and how to mend it',
    about: [
      'Looks at every requirement for real: programs and their owners, namespaces, limits, folders, the disk, the way to the control plane with its certificate and clock, the daemon; and contains a trial run. It works while the daemon is down, and before this device is enrolled.',
    ],
    options: [
      { name: 'server', value: 'URL', help: 'the control plane to look at; the one of the enrollment unless it is said' },
      JSON_OPTION,
    ],
    statuses: [['1', 'something failed; each line says what to do']],
    load: async () => (await import('../doctor.ts')).doctorCommand,
  },
  {
    name: 'leave',
    words: 'FILE',
    completes: 'file',
    summary: 'leave the organisation, with a retirement that approvers signed',
    about: ['For a device that does not reach its control plane any more. A daemon that does obeys a retirement by itself.'],
    options: [JSON_OPTION],
    load: async () => (await import('../leave.ts')).leaveCommand,
  },
  {
    name: 'daemon',
    summary: 'the service of this machine',
    about: ['Runs until it is told to stop. A machine that is not enrolled, but was told how to be, joins first.'],
    options: [],
    load: async () => (await import('../daemon.ts')).daemonCommand,
  },
  {
    name: 'rotate-key',
    summary: 'replace the key that this device proves itself by',
    about: ["Its id, its place and its policy stay. Only root, or the daemon's own account, may."],
    options: [JSON_OPTION],
    load: async () => (await import('../rotate-key.ts')).rotateKeyCommand,
  },
];
