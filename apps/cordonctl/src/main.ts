/** The `cordonctl` command, for administrators and auditors. Each subcommand is loaded when it is asked for. */
import { CordonError } from '@cordon/policy/errors.ts';
import { systemFault } from '@cordon/policy/system-fault.ts';
import { visible } from '@cordon/policy/visible.ts';

const USAGE = `cordonctl: keys, proofs and decisions of a Cordon organisation

  cordonctl keys init --out DIR [--root-keys 3] [--root-threshold 2] [--approvers 1] [--approver-threshold 1] [--floor FILE] [--days 365]
                                              make the keys of an organisation, offline, and what its server needs
  cordonctl keys rotate ROLE --organisation FILE --with KEYFILE... --out DIR [--days 365] [--raise-epoch] [--online FILE]
                                              new keys for a role; the root signs them
  cordonctl keys rotate witness --witnesses N [--witness-threshold K] ...
                                              demand independent witnesses from now on, others, or with 0 none
  cordonctl keys raise-epoch --organisation FILE --with KEYFILE... --out DIR
                                              after a restore, or when the signer was lost
  cordonctl keys token --module FILE --token LABEL --out FILE
                                              describe online keys that a PKCS#11 token keeps, for --online
  cordonctl floor sign --organisation FILE --floor POLICY --with KEYFILE... --out DIR [--loosen]
                                              the next version of the floor; says what it takes
  cordonctl keys show FILE                    what an organisation's root says
  cordonctl backup --out DIR --passphrase FILE
                                              database and signer of the service on this machine, sealed; also while it runs
  cordonctl restore --from DIR --passphrase FILE [--only database|state] [--audit-head SEQ:HASH] [--verify]
                                              into an empty database and state folder; --verify changes nothing
  cordonctl restore --noted [--audit-head SEQ:HASH]
                                              the database was put back by other means: do the rest of a restore
  cordonctl recover [--out DIR] [--json] [TOPIC]
                                              what the installation needs before its fleet goes on
  cordonctl audit verify FILE [--head SEQ:HASH...]
                                              check an export of the audit log, offline
  cordonctl audit roots FILE [--organisation FILE] [--checkpoint FILE...]
                                              make the roots of its checkpoints again from its entries, offline
  cordonctl reports verify FILE [--key THUMBPRINT...] [--expired]
                                              check an export of a device's reports against what the device signed, offline

and what people decide about, over the admin API (--server URL --token-file FILE [--ca FILE], or CORDON_SERVER, CORDON_TOKEN_FILE, CORDON_CA):

  cordonctl propose --title TEXT [--way-back 7d]
                                              ask the approvers to approve the draft as it stands
  cordonctl proposals list                    who has signed what
  cordonctl proposals show ID                 what it gives and takes, computed here
  cordonctl approve ID --key KEYFILE [--passphrase FILE] [--yes]
                                              sign it with your own key, after you have read what it gives and takes
  cordonctl witness --key KEYFILE --state DIR [--fingerprint ROOT] [--once]
                                              follow the history of checkpoints and cosign it; ends with 1 when there are two
  cordonctl maintenance grant --device ID --hours N --key KEYFILE... [--boot ID] [--add FILE] [--out FILE]
                                              for one boot of one machine, a stop of its daemon is no tampering
  cordonctl retire --device ID --key KEYFILE... [--hours 720] [--add FILE] [--out FILE]
                                              the one way out of the organisation: the device ends enforcement and wipes its key
  cordonctl publish [--proposal ID | --change-set ID] [--title TEXT] [--wait [--timeout SECONDS]]
                                              put the draft in force, or what was approved, or what was in force before
`;

type Command = (args: readonly string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  'keys init': async () => (await import('./keys/init.ts')).initCommand,
  'keys rotate': async () => (await import('./keys/rotate.ts')).rotateCommand,
  'keys raise-epoch': async () => (await import('./keys/rotate.ts')).raiseEpochCommand,
  'keys token': async () => (await import('./keys/token.ts')).tokenCommand,
  'floor sign': async () => (await import('./keys/floor.ts')).signFloorCommand,
  'keys show': async () => (await import('./keys/show.ts')).showCommand,
  propose: async () => (await import('./proposals/commands.ts')).proposeCommand,
  'proposals list': async () => (await import('./proposals/commands.ts')).listCommand,
  'proposals show': async () => (await import('./proposals/commands.ts')).showCommand,
  witness: async () => (await import('./witness/command.ts')).witnessCommand,
  approve: async () => (await import('./proposals/commands.ts')).approveCommand,
  publish: async () => (await import('./proposals/commands.ts')).publishCommand,
  'maintenance grant': async () => (await import('./orders/commands.ts')).maintenanceCommand,
  retire: async () => (await import('./orders/commands.ts')).retireCommand,
  backup: async () => (await import('./recovery/commands.ts')).backupCommand,
  restore: async () => (await import('./recovery/commands.ts')).restoreCommand,
  recover: async () => (await import('./recovery/recover.ts')).recoverCommand,
  'reports verify': async () => (await import('./reports/verify.ts')).verifyReportsCommand,
  'audit roots': async () => (await import('./audit/roots.ts')).rootsCommand,
  'audit verify': async () => (await import('./audit/verify.ts')).verifyCommand,
};

/** What Node's own parser of options refuses is a call that is not understood, like any other. */
const told = (error: unknown): { readonly code: string; readonly message: string } => {
  const known = error instanceof CordonError ? error : systemFault(error);
  if (known !== undefined) return known;
  const message = error instanceof Error ? error.message : String(error);
  const isUsage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  return { code: isUsage ? 'cli.usage' : 'cordonctl.failed', message };
};

/** Status 0: done. 1: what was checked does not hold. 2: the call is not understood, or cannot be done. */
const main = async (): Promise<number> => {
  const words = process.argv.slice(2);
  const [noun = '', verb = ''] = words;
  const name = Object.hasOwn(COMMANDS, noun) ? noun : `${noun} ${verb}`;
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  const args = words.slice(name.split(' ').length);
  const asked = noun === '' || noun === 'help' || words.some((word) => word === '--help' || word === '-h');
  if (load === undefined || asked) {
    (asked ? process.stdout : process.stderr).write(USAGE);
    return asked ? 0 : 2;
  }
  // Whoever read has read enough, as a pager does: 141 is how shells tell of SIGPIPE.
  process.stdout.on('error', () => process.exit(141));
  try {
    return await (
      await load()
    )(args);
  } catch (error) {
    const { code, message } = told(error);
    process.stderr.write(`cordonctl: ${visible(message)} [${code}]\n`);
    return 2;
  }
};

process.exitCode = await main();
