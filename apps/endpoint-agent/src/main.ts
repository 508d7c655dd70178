/** The `cordon` command. Each subcommand is loaded when it is asked for, so that `cordon run` starts fast. */

const USAGE = `cordon: contains AI agents under your organisation's policy

  cordon enroll --server URL [--token-file FILE] [--retry] [--again]
                                                   join (the token also by CORDON_ENROLL_TOKEN_FILE, CORDON_TOKEN, a configuration
                                                   file or standard input); --retry asks until it is answered
  cordon leave FILE                                leave, with a retirement that approvers signed (the daemon obeys one by itself)
  cordon daemon                                    the service of this machine
  cordon run [--agent ID] [--user NAME] [--manifest FILE] [--tty | --no-tty] -- COMMAND
                                                   run a command, contained (root names the account that runs it);
                                                   at a terminal it gets one of its own
  cordon status [--json]                           what is enforced here
  cordon rotate-key                                replace the key that this device proves itself by
  cordon why PATH|HOST[:PORT]|CONTROL|'$NAME' [--write] [--json]
                                                   allowed or denied, and by which rule
  cordon policy check FILE... [--json]             what is wrong with policies, and where
  cordon policy diff OLD NEW [--agent ID] [--os OS] [--json]
                                                   what a change gives and takes; status 3 when it may give anything
  cordon manifest build ENTRY [--out FILE]         the manifest of an agent, from its source
  cordon manifest check FILE... [--json]           what is wrong with manifests, and where
  cordon verify --state DIR [--now TIME] ...       what a device with this state says of a state (docs/verifier.md)
  cordon json-check, key-check, proof-check        answer cases on standard input (docs/verifier.md)
`;

const commands: Readonly<Record<string, () => Promise<(args: readonly string[]) => Promise<number>>>> = {
  run: async () => (await import('./cli/run.ts')).runCommand,
  why: async () => (await import('./cli/why.ts')).whyCommand,
  status: async () => (await import('./cli/status.ts')).statusCommand,
  'rotate-key': async () => (await import('./cli/rotate-key.ts')).rotateKeyCommand,
  enroll: async () => (await import('./cli/enroll.ts')).enrollCommand,
  leave: async () => (await import('./cli/leave.ts')).leaveCommand,
  daemon: async () => (await import('./cli/daemon.ts')).daemonCommand,
  policy: async () => (await import('./cli/policy.ts')).policyCommand,
  manifest: async () => (await import('./cli/manifest.ts')).manifestCommand,
  verify: async () => (await import('./cli/verify.ts')).verifyCommand,
  'json-check': async () => (await import('./cli/checks.ts')).jsonCheckCommand,
  'key-check': async () => (await import('./cli/checks.ts')).keyCheckCommand,
  'proof-check': async () => (await import('./cli/checks.ts')).proofCheckCommand,
};

/** As shells tell of a program that was ended by SIGPIPE. */
const NOBODY_READS = 141;

const main = async (): Promise<number> => {
  const [name = '', ...args] = process.argv.slice(2);
  if (name === '--version') {
    process.stdout.write('cordon 0.1.0\n');
    return 0;
  }
  const load = commands[name];
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const isAsked = ['', 'help', '--help', '-h'].includes(name) || own.some((word) => word === '--help' || word === '-h');
  if (load === undefined || isAsked) {
    (isAsked ? process.stdout : process.stderr).write(USAGE);
    return isAsked ? 0 : 2;
  }
  // Whoever read has read enough, as a pager does. A run has more to end than this process.
  if (name !== 'run') process.stdout.on('error', () => process.exit(NOBODY_READS));
  try {
    return await (
      await load()
    )(args);
  } catch (error) {
    const { printError } = await import('./cli/output.ts');
    printError(error);
    return 125;
  }
};

process.exitCode = await main();
