/** `main.ts backup | restore | inspect`: what `cordonctl` asks of the installation itself, since only this side has the database. Configured by environment like the service. */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Config } from '../config.ts';
import type { DatabaseAccess } from '../db/client.ts';
import { takeBackup } from './backup.ts';
import { openDatabase } from './database-access.ts';
import { inspect } from './inspect.ts';
import { noteRestore, restoreBackup, verifyBackup } from './restore.ts';

/** What the words were given beside the command line. */
export interface CommandContext {
  readonly config: Config;
  readonly now: Date;
  say(line: string): void;
  /** The database's owner where it runs already; for tests. */
  readonly owner?: DatabaseAccess;
}

/** Shorter ones are guessed. */
const SHORTEST = 16;

/** @throws CordonError `backup.passphrase` */
const passphraseFrom = (file: string | undefined): Buffer => {
  if (file === undefined)
    throw new CordonError('cli.usage', 'needed: --passphrase FILE, a private file (mode 0600) that is kept apart from the backup');
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new CordonError('backup.passphrase', `there is no ${file}: make one with (umask 077; openssl rand -base64 32 > ${file})`, {
      place: file,
    });
  if ((stat.mode & 0o077) !== 0)
    throw new CordonError('backup.passphrase', `${file} can be read by others: set its mode to 0600`, { place: file });
  const passphrase = Buffer.from(fs.readFileSync(file, 'utf8').trimEnd());
  if (passphrase.length < SHORTEST)
    throw new CordonError(
      'backup.passphrase',
      `${file} is too short to keep anybody out: at least ${SHORTEST} characters, better random ones`,
      { place: file },
    );
  return passphrase;
};

const headFrom = (text: string | undefined): { readonly seq: number; readonly hash: string } | undefined => {
  if (text === undefined) return undefined;
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new CordonError('cli.usage', `--audit-head is SEQ:HASH, as cordonctl audit verify prints it, not ${text}`);
  return { seq: Number(seq), hash };
};

type Command = (args: readonly string[], context: CommandContext) => Promise<void>;

const backup: Command = async (args, { config, now, say, owner }) => {
  const { values } = parseArgs({ args: [...args], options: { out: { type: 'string' }, passphrase: { type: 'string' } } });
  if (values.out === undefined) throw new CordonError('cli.usage', 'needed: --out DIR, a folder that is not there yet');
  const passphrase = passphraseFrom(values.passphrase);
  const opened = await openDatabase(config, { mayRun: true, given: owner, say });
  try {
    const out = path.resolve(values.out);
    const content = await takeBackup({ owner: opened.owner, stateDir: config.stateDir, out, passphrase, now });
    const rows = content.tables.reduce((sum, table) => sum + table.rows, 0);
    say(
      `backup ${content.id} lies in ${out}: ${content.parts.length} parts, ${rows} rows, epoch ${content.epoch}, serial ${content.serial}, audit head ${content.audit.seq}:${content.audit.hash}`,
    );
    say(`keep it in another place than this machine, and what opens it in a third`);
  } finally {
    await opened.close();
  }
};

const RAISE = 'now raise the epoch with the root keys and start with what that wrote: cordonctl recover says each step';

const restore: Command = async (args, { config, now, say, owner }) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      from: { type: 'string' },
      passphrase: { type: 'string' },
      only: { type: 'string' },
      verify: { type: 'boolean', default: false },
      noted: { type: 'boolean', default: false },
      'audit-head': { type: 'string' },
    },
  });
  const { only } = values;
  if (only !== undefined && only !== 'database' && only !== 'state')
    throw new CordonError('cli.usage', `--only is database or state, not ${only}`);
  const auditHead = headFrom(values['audit-head']);
  if (values.noted) {
    const opened = await openDatabase(config, { mayRun: false, given: owner, say });
    try {
      await noteRestore({ owner: opened.owner, stateDir: config.stateDir, now, auditHead });
    } finally {
      await opened.close();
    }
    say(`noted in the audit log that the database was put back; every token has ended. ${RAISE}`);
    return;
  }
  if (values.from === undefined) throw new CordonError('cli.usage', 'needed: --from DIR, the folder of a backup');
  const from = path.resolve(values.from);
  const passphrase = passphraseFrom(values.passphrase);
  if (values.verify) {
    const { content } = await verifyBackup(from, passphrase);
    say(
      `backup ${content.id} of ${content.createdAt} is whole: ${content.parts.length} parts, epoch ${content.epoch}, serial ${content.serial}`,
    );
    return;
  }
  const opened = await openDatabase(config, { mayRun: false, given: owner, say });
  try {
    const content = await restoreBackup({ owner: opened.owner, stateDir: config.stateDir, from, passphrase, now, only, auditHead });
    say(`restored ${only ?? 'database and state'} of backup ${content.id} of ${content.createdAt}; every token has ended`);
    say(RAISE);
  } finally {
    await opened.close();
  }
};

const inspection: Command = async (args, { config, now, say, owner }) => {
  parseArgs({ args: [...args], options: {} });
  say(JSON.stringify(await inspect(config, now, owner)));
};

const COMMANDS: Readonly<Record<string, Command>> = { backup, restore, inspect: inspection };

/** @returns whether the words were a command, which is done then. @throws CordonError */
export const runCommand = async ([verb = '', ...args]: readonly string[], context: CommandContext): Promise<boolean> => {
  const command = Object.hasOwn(COMMANDS, verb) ? COMMANDS[verb] : undefined;
  if (command === undefined) return false;
  await command(args, context);
  return true;
};
