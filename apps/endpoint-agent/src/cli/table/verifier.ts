/** Commands by which other suites try the verifier; see docs/verifier.md. */
import { JSON_OPTION, type Command } from './command.ts';

/** What a state is made of: each can be given as a file. */
export const PARTS = ['frame', 'bundle', 'manifest', 'checkpoint', 'cohort', 'witness', 'membership'] as const;

const CASES = 'Cases come on standard input, one JSON object a line, and are answered on standard output. See docs/verifier.md.';

export const VERIFIER: readonly Command[] = [
  {
    name: 'verify',
    summary: 'what a device with this state says of a state',
    about: ['It is the one verification of the daemon; nothing is written. See docs/verifier.md.'],
    options: [
      { name: 'state', value: 'DIR', help: 'the state folder of the device', required: true, completes: 'folder' },
      { name: 'now', value: 'TIME', help: 'the time to judge by, such as 2026-03-01T12:00:00Z' },
      { name: 'receipt', help: 'judge as on receipt; usual where a part is given' },
      { name: 'load', help: 'judge as at the start of the daemon' },
      ...PARTS.map((name) => ({
        name,
        value: 'FILE',
        help: `the ${name}, in the place of what the device has`,
        completes: 'file' as const,
      })),
      JSON_OPTION,
    ],
    statuses: [['3', 'refused']],
    plumbing: true,
    load: async () => (await import('../verify.ts')).verifyCommand,
  },
  {
    name: 'json-check',
    summary: 'the strict JSON parser',
    about: [CASES],
    options: [],
    plumbing: true,
    load: async () => (await import('../checks.ts')).jsonCheckCommand,
  },
  {
    name: 'key-check',
    summary: 'the admission of public keys',
    about: [CASES],
    options: [],
    plumbing: true,
    load: async () => (await import('../checks.ts')).keyCheckCommand,
  },
  {
    name: 'proof-check',
    summary: 'Merkle inclusion proofs',
    about: [CASES],
    options: [],
    plumbing: true,
    load: async () => (await import('../checks.ts')).proofCheckCommand,
  },
];
