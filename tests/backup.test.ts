import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient, poolConfig, type DatabaseAccess } from '../apps/control-plane/src/db/client.ts';
import { configFrom } from '../apps/control-plane/src/config.ts';
import { takeBackup } from '../apps/control-plane/src/recovery/backup.ts';
import { runCommand } from '../apps/control-plane/src/recovery/command.ts';
import { restoreBackup, verifyBackup } from '../apps/control-plane/src/recovery/restore.ts';
import { batchAfter, connect, enrol, hello } from '../apps/control-plane/tests/_channel.ts';
import { createDatabase, makeStateDir, startPlane, type TestPlane } from '../apps/control-plane/tests/_util.ts';

const passphrase = Buffer.from('correct horse battery staple');
const now = (): Date => new Date();

const query = async <T extends pg.QueryResultRow>(access: DatabaseAccess, text: string): Promise<T[]> => {
  const client = createClient(poolConfig(access, 1));
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
};

/** Every row of every table of the service, by table. */
const contentOf = async (access: DatabaseAccess): Promise<Record<string, unknown[]>> => {
  const tables = await query<{ name: string }>(
    access,
    "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> '_prisma_migrations' ORDER BY 1",
  );
  const content: Record<string, unknown[]> = {};
  for (const { name } of tables)
    content[name] = await query(access, `SELECT to_jsonb(t) AS row FROM "${name}" t ORDER BY to_jsonb(t)::text`);
  return content;
};

/** A service with something of everything in it, telemetry included. */
const lived = async (): Promise<TestPlane> => {
  const test = await startPlane();
  onTestFinished(() => test.close());
  const device = await enrol(test);
  const channel = connect(test, device.id);
  await channel.next('welcome');
  channel.send(hello());
  channel.send(batchAfter(undefined, 50));
  await channel.next('telemetry.ack');
  channel.close();
  await channel.closed;
  return test;
};

const backupOf = async (test: TestPlane): Promise<string> => {
  const out = path.join(makeStateDir(), 'backup');
  await takeBackup({ owner: test.owner, stateDir: test.stateDir, out, passphrase, now: now() });
  return out;
};
const fresh = async (): Promise<{ readonly owner: DatabaseAccess; readonly stateDir: string }> => ({
  owner: await createDatabase(),
  stateDir: makeStateDir(),
});
const restore = (from: string, into: { readonly owner: DatabaseAccess; readonly stateDir: string }, more: object = {}) =>
  restoreBackup({ ...into, from, passphrase, now: now(), only: undefined, auditHead: undefined, ...more });

describe('a backup of a service that runs', () => {
  it('has every row and every file of the signer, and comes back the same but for tokens that end and one entry of the audit log', async () => {
    const test = await lived();
    const before = await contentOf(test.owner);
    expect(before['telemetry_event']?.length).toBe(50);
    const from = await backupOf(test);
    const into = await fresh();
    await restore(from, into);
    const after = await contentOf(into.owner);
    const changed = ['api_token', 'enrollment_token', 'audit_entry'];
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const [table, rows] of Object.entries(before).filter(([name]) => !changed.includes(name)))
      expect(after[table], table).toEqual(rows);
    expect(
      await query(
        into.owner,
        'SELECT 1 FROM api_token WHERE revoked_at IS NULL UNION ALL SELECT 1 FROM enrollment_token WHERE revoked_at IS NULL',
      ),
    ).toEqual([]);
    const [entry] = await query<{ action: string; detail: Record<string, unknown> }>(
      into.owner,
      'SELECT action, detail FROM audit_entry ORDER BY seq DESC LIMIT 1',
    );
    expect(entry).toMatchObject({ action: 'organisation.restore', detail: { head: { seq: before['audit_entry']?.length }, before: null } });
    for (const name of ['online-keys.json', 'passphrase'])
      expect(fs.readFileSync(path.join(into.stateDir, 'signer', name))).toEqual(fs.readFileSync(path.join(test.stateDir, 'signer', name)));
    // New rows find their numbers.
    await query(into.owner, "INSERT INTO checkpoint (epoch, serial, jws, digest, expires_at) VALUES (9, 9, '', '', now())").catch(
      () => undefined,
    );
    expect(await query(into.owner, 'SELECT count(*) - count(DISTINCT id) AS twice FROM checkpoint')).toEqual([{ twice: '0' }]);
  });

  it('shows nothing without its passphrase: no name of a device, no key, no text of a policy', async () => {
    const test = await lived();
    const from = await backupOf(test);
    const readable = fs
      .readdirSync(from, { recursive: true, encoding: 'utf8' })
      .filter((name) => fs.statSync(path.join(from, name)).isFile())
      .map((name) => ({ name, mode: fs.statSync(path.join(from, name)).mode & 0o077, bytes: fs.readFileSync(path.join(from, name)) }));
    const secrets = ['passphrase', 'online-keys.json'].map((name) => fs.readFileSync(path.join(test.stateDir, 'signer', name)));
    for (const { name, mode, bytes } of readable) {
      expect(mode, name).toBe(0);
      for (const secret of [...secrets, Buffer.from('laptop'), passphrase]) expect(bytes.includes(secret), name).toBe(false);
    }
    await expect(verifyBackup(from, Buffer.from('another passphrase'))).rejects.toMatchObject({ code: 'backup.passphrase' });
  });

  it('is refused when any part of it was changed, cut, exchanged or is missing, before anything is touched', async () => {
    const test = await lived();
    const from = await backupOf(test);
    const { content } = await verifyBackup(from, passphrase);
    const fileOf = (name: string): string => path.join(from, `${name}.sealed`);
    const refused = async (code: string, spoil: () => void, files: readonly string[]): Promise<void> => {
      const kept = files.map((file) => [file, fs.readFileSync(file)] as const);
      spoil();
      await expect(verifyBackup(from, passphrase), files.join()).rejects.toMatchObject({ code });
      for (const [file, bytes] of kept) fs.writeFileSync(file, bytes);
    };
    const some = ['state/signer/online-keys.json', 'database/organisation', 'database/telemetry_batch', 'database/audit_entry'];
    expect(content.parts.map(({ name }) => name)).toEqual(expect.arrayContaining(some));
    for (const name of some) {
      const file = fileOf(name);
      const bytes = fs.readFileSync(file);
      const flipped = Buffer.from(bytes);
      const at = Math.floor(Math.random() * flipped.length);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await refused('backup.damaged', () => fs.writeFileSync(file, flipped), [file]);
      await refused('backup.damaged', () => fs.writeFileSync(file, bytes.subarray(0, -1)), [file]);
      await refused('backup.incomplete', () => fs.rmSync(file), [file]);
    }
    const manifest = path.join(from, 'manifest.json');
    const text = fs.readFileSync(manifest, 'utf8');
    await refused('backup.passphrase', () => fs.writeFileSync(manifest, text.replace('"epoch": 0', '"epoch": 1')), [manifest]);
    await refused('backup.manifest', () => fs.writeFileSync(manifest, '{}'), [manifest]);
    // Digests corrected by who has no passphrase do not help, nor does one part in the place of another.
    const [a = '', b = ''] = ['device', 'policy'].map((name) => fileOf(`database/${name}`));
    await refused('backup.damaged', () => fs.copyFileSync(a, b), [a, b]);
    const into = await fresh();
    fs.rmSync(fileOf('database/device'));
    await expect(restore(from, into)).rejects.toMatchObject({ code: 'backup.incomplete' });
    expect(await contentOf(into.owner)).toEqual({});
    expect(fs.readdirSync(into.stateDir)).toEqual([]);
  });

  it('goes only into what is empty, and of a newer version into nothing', async () => {
    const test = await lived();
    const from = await backupOf(test);
    await expect(restore(from, { owner: test.owner, stateDir: makeStateDir() })).rejects.toMatchObject({ code: 'restore.database-full' });
    await expect(restore(from, { owner: await createDatabase(), stateDir: test.stateDir })).rejects.toMatchObject({
      code: 'restore.state-full',
    });
    await expect(restore(from, await fresh(), { only: 'database' })).rejects.toMatchObject({ code: 'restore.no-signer' });
    await expect(restore(from, await fresh(), { auditHead: { seq: 1, hash: 'a'.repeat(64) } })).rejects.toMatchObject({
      code: 'restore.head',
    });
    await query(test.owner, `UPDATE _prisma_migrations SET migration_name = '9999_future' WHERE migration_name LIKE '0002%'`);
    await expect(restore(await backupOf(test), await fresh())).rejects.toMatchObject({ code: 'restore.newer' });
  });

  it('that failed leaves nothing', async () => {
    const test = await lived();
    const out = path.join(makeStateDir(), 'backup');
    const input = { owner: test.owner, stateDir: makeStateDir(), out, passphrase, now: now() };
    await expect(takeBackup(input)).rejects.toMatchObject({ code: 'backup.no-signer' });
    expect(fs.existsSync(out)).toBe(false);
    fs.mkdirSync(out);
    await expect(takeBackup({ ...input, stateDir: test.stateDir })).rejects.toMatchObject({ code: 'backup.exists' });
  });
});

describe('the commands', () => {
  it('say what is wrong with a passphrase before anything is opened', async () => {
    const folder = makeStateDir();
    const file = path.join(folder, 'passphrase');
    const context = { config: configFrom({ CORDON_STATE: folder }), now: now(), say: () => undefined };
    const run = (...words: readonly string[]) => runCommand(words, context);
    await expect(run('backup', '--out', path.join(folder, 'x'))).rejects.toMatchObject({ code: 'cli.usage' });
    await expect(run('backup', '--out', path.join(folder, 'x'), '--passphrase', file)).rejects.toMatchObject({ code: 'backup.passphrase' });
    fs.writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o644 });
    await expect(run('backup', '--out', path.join(folder, 'x'), '--passphrase', file)).rejects.toMatchObject({ code: 'backup.passphrase' });
    fs.chmodSync(file, 0o600);
    fs.writeFileSync(file, 'short');
    await expect(run('restore', '--from', folder, '--passphrase', file)).rejects.toMatchObject({ code: 'backup.passphrase' });
    await expect(run('restore', '--from', folder, '--passphrase', file, '--audit-head', '3:x')).rejects.toMatchObject({
      code: 'cli.usage',
    });
    expect(await run('serve')).toBe(false);
    expect(fs.readdirSync(folder)).toEqual(['passphrase']);
  });
});
