import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import pg from 'pg';
import { inject, describe, expect, it, onTestFinished } from 'vitest';
import { configFrom } from '../apps/control-plane/src/config.ts';
import { poolConfig } from '../apps/control-plane/src/db/client.ts';
import { startEmbedded } from '../apps/control-plane/src/db/embedded.ts';
import { createControlPlane } from '../apps/control-plane/src/start.ts';
import { selfSigned } from '../apps/control-plane/tests/_certificate.ts';
import { createDatabase, enrolDevice, makeStateDir, newKey, startPlane, type TestPlane } from '../apps/control-plane/tests/_util.ts';

const plane = async (options: Parameters<typeof startPlane>[0] = {}): Promise<TestPlane> => {
  const started = await startPlane(options);
  onTestFinished(() => started.close());
  return started;
};
const silent = (more: Record<string, string> = {}): ReturnType<typeof configFrom> =>
  configFrom({ CORDON_STATE: makeStateDir(), CORDON_ADMIN_PORT: '0', CORDON_DEVICE_PORT: '0', CORDON_LOG: 'silent', ...more });

describe('starting', () => {
  it('again finds everything as it was, and makes no second owner', async () => {
    const first = await startPlane();
    const { token } = (await first.admin<{ token: string }>('POST', '/enrollment-tokens', { body: { name: 'x', maxUses: 5 } })).body;
    const { device } = (await enrolDevice(first, token, newKey())).body;
    await first.plane.close();
    const second = await plane({ stateDir: first.stateDir, owner: first.owner });
    expect(second.plane.bootstrapToken).toBeUndefined();
    expect(second.plane.context.organisation).toEqual(first.plane.context.organisation);
    expect((await second.admin<{ id: string }>('GET', `/devices/${device}`)).body.id).toBe(device);
    expect((await enrolDevice(second, token, newKey())).status).toBe(200);
  });

  it('refuses a state folder that another control plane uses', async () => {
    const { stateDir } = await plane();
    await expect(createControlPlane(silent({ CORDON_STATE: stateDir }), { owner: await createDatabase() })).rejects.toMatchObject({
      code: 'state.in-use',
    });
  });

  it('refuses a port that is taken, and stops what it had started', async () => {
    const blocker = http.createServer();
    const port = await new Promise<number>((resolve) =>
      blocker.listen(0, '127.0.0.1', () => resolve((blocker.address() as { port: number }).port)),
    );
    const owner = await createDatabase();
    const state = makeStateDir();
    for (const variable of ['CORDON_ADMIN_PORT', 'CORDON_DEVICE_PORT'])
      await expect(createControlPlane(silent({ CORDON_STATE: state, [variable]: String(port) }), { owner })).rejects.toMatchObject({
        code: 'listen.port-taken',
        place: variable,
      });
    await new Promise((resolve) => blocker.close(resolve));
    const started = await createControlPlane(silent({ CORDON_STATE: state, CORDON_DEVICE_PORT: String(port) }), { owner });
    await started.close();
  });

  it('refuses an address that is not of this machine, and says so', async () => {
    const config = silent({ CORDON_HOST: '203.0.113.7', CORDON_TRUST_PROXY: '10.0.0.1' });
    await expect(createControlPlane(config, { owner: await createDatabase() })).rejects.toMatchObject({
      code: 'listen.address',
      place: 'CORDON_HOST',
    });
  });

  it('says what is wrong with a database, before it changes anything in it', async () => {
    const owner = await createDatabase();
    const superuser = new pg.Client(poolConfig(inject('database').superuser, 1));
    await superuser.connect();
    onTestFinished(() => superuser.end());
    const name = `weak_${process.pid}`;
    await superuser.query(`CREATE ROLE ${name} LOGIN PASSWORD 'weak'`);
    await superuser.query(`CREATE DATABASE ${name} OWNER ${name}`);
    const weak = { ...owner, user: name, password: 'weak' };
    for (const [access, code] of [
      [{ ...owner, password: 'wrong' }, 'db.credentials'],
      [{ ...owner, database: 'none' }, 'db.missing'],
      [{ ...owner, port: 1 }, 'db.unreachable'],
      [{ ...weak, database: name }, 'db.rights'],
      [weak, 'db.rights'],
    ] as const)
      await expect(createControlPlane(silent(), { owner: access }), code).rejects.toMatchObject({ code, place: 'DATABASE_URL' });
    const { rowCount } = await superuser.query(
      'SELECT 1 FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid WHERE r.rolname = $1 AND d.dbid = 0 AND d.classid <> $2::regclass',
      [name, 'pg_database'],
    );
    expect(rowCount).toBe(0);
  });

  it('serves TLS, and only TLS, with a certificate; and says what is wrong with one', async () => {
    const folder = makeStateDir();
    onTestFinished(() => fs.rmSync(folder, { recursive: true }));
    const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
    const made = selfSigned();
    fs.writeFileSync(cert, made.cert);
    fs.writeFileSync(key, made.key);
    const owner = await createDatabase();
    const started = await createControlPlane(silent({ CORDON_TLS_CERT: cert, CORDON_TLS_KEY: key }), { owner });
    try {
      for (const url of [started.adminUrl, started.deviceUrl]) {
        expect(url).toMatch(/^https:/);
        const status = new Promise((resolve, reject) =>
          https.get(`${url}/healthz`, { ca: made.cert }, (reply) => resolve(reply.resume().statusCode)).once('error', reject),
        );
        expect(await status).toBe(200);
        await expect(fetch(`${url.replace('https', 'http')}/healthz`)).rejects.toThrow();
      }
    } finally {
      await started.close();
    }
    fs.writeFileSync(key, selfSigned().key);
    for (const wrong of [{ CORDON_TLS_KEY: key }, { CORDON_TLS_KEY: cert }, { CORDON_TLS_KEY: path.join(folder, 'none') }])
      await expect(createControlPlane(silent({ CORDON_TLS_CERT: cert, ...wrong }), { owner })).rejects.toMatchObject({
        code: 'config.tls',
      });
  });

  it('refuses clear text beyond loopback unless a proxy ends TLS', async () => {
    await expect(createControlPlane(silent({ CORDON_HOST: '0.0.0.0' }))).rejects.toMatchObject({ code: 'config.plaintext' });
  });

  it("refuses a database whose organisation names another signer's keys", async () => {
    const first = await startPlane();
    await first.plane.close();
    await expect(startPlane({ owner: first.owner })).rejects.toMatchObject({ code: 'organisation.no-signer-keys' });
    const other = await startPlane();
    await other.plane.close();
    fs.rmSync(path.join(first.stateDir, 'signer'), { recursive: true });
    fs.cpSync(path.join(other.stateDir, 'signer'), path.join(first.stateDir, 'signer'), {
      recursive: true,
      filter: (file) => !file.endsWith('.sock'),
    });
    const mixed = createControlPlane(silent({ CORDON_STATE: first.stateDir }), { owner: first.owner }).then(() => 'started');
    await expect(mixed).rejects.toMatchObject({ code: 'organisation.signer-unknown' });
  });

  it('refuses a database that is older than what its signer has signed, and a signer that does not know what it has signed', async () => {
    const first = await startPlane();
    await first.plane.close();
    const mark = path.join(first.stateDir, 'signer/high-water.json');
    const { serial } = JSON.parse(fs.readFileSync(mark, 'utf8')) as { serial: number };
    const start = () => createControlPlane(silent({ CORDON_STATE: first.stateDir }), { owner: first.owner });
    fs.writeFileSync(mark, JSON.stringify({ epoch: 0, serial: serial + 1 }));
    await expect(start()).rejects.toMatchObject({ code: 'signer.rollback' });
    fs.writeFileSync(mark, '{}');
    await expect(start()).rejects.toMatchObject({ code: 'signer.unavailable' });
    fs.writeFileSync(mark, JSON.stringify({ epoch: 0, serial }));
    await (await start()).close();
    fs.rmSync(first.stateDir, { recursive: true });
  });
});

describe('a database that is gone', () => {
  it('makes the service unready, not dead; when it is back, so is the service', async () => {
    const { admin, owner } = await plane();
    const client = new pg.Client(poolConfig(inject('database').superuser, 1));
    await client.connect();
    onTestFinished(() => client.end());
    await client.query(`ALTER DATABASE ${owner.database} ALLOW_CONNECTIONS false`);
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [owner.database]);
    expect((await admin('GET', '/readyz')).status).toBe(503);
    const refused = await admin<{ code: string }>('POST', '/groups', { body: { name: 'while gone' } });
    expect([refused.status, refused.body.code]).toEqual([503, 'db.unavailable']);
    expect((await admin('GET', '/healthz')).status).toBe(200);
    await client.query(`ALTER DATABASE ${owner.database} ALLOW_CONNECTIONS true`);
    await expect.poll(async () => (await admin('GET', '/readyz')).status, { timeout: 10_000 }).toBe(200);
    expect((await admin('POST', '/groups', { body: { name: 'while gone' } })).status).toBe(201);
  });
});

describe('the embedded database', () => {
  it('comes back at the same port when it is killed, takes over what a killed control plane left, and says when its port is taken', async () => {
    const stateDir = makeStateDir();
    fs.chmodSync(stateDir, 0o711);
    onTestFinished(() => fs.rmSync(stateDir, { recursive: true, force: true }));
    const said: string[] = [];
    const options = { stateDir, port: undefined, secret: 'test', say: (message: string) => void said.push(message), durable: false };
    const first = await startEmbedded(options);
    const ask = async (): Promise<number | null> => {
      const client = new pg.Client(poolConfig(first.owner, 1));
      client.on('error', () => undefined);
      try {
        await client.connect();
        return (await client.query('SELECT 1')).rowCount;
      } catch {
        return null;
      } finally {
        await client.end().catch(() => undefined);
      }
    };
    const pid = Number(fs.readFileSync(path.join(stateDir, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, 'SIGKILL');
    await expect.poll(ask, { timeout: 20_000 }).toBe(1);
    await expect.poll(() => said.join()).toContain('starting it again');
    const other = makeStateDir();
    fs.chmodSync(other, 0o711);
    await expect(startEmbedded({ ...options, stateDir: other, port: first.owner.port })).rejects.toMatchObject({ code: 'db.port-taken' });
    // Closing ends the database also while it is being started again.
    process.kill(Number(fs.readFileSync(path.join(stateDir, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL');
    await expect.poll(() => said.filter((message) => message.includes('starting it again')).length).toBe(2);
    await first.close();
    expect(await ask()).toBeNull();
  });
});

describe('the service', () => {
  it('that is told to stop while it starts leaves no database running', async () => {
    const state = makeStateDir();
    fs.chmodSync(state, 0o711);
    onTestFinished(() => fs.rmSync(state, { recursive: true, force: true }));
    const main = path.join(import.meta.dirname, '../apps/control-plane/src/main.ts');
    const service = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
      env: { PATH: process.env['PATH'], CORDON_STATE: state, CORDON_ADMIN_PORT: '0', CORDON_DEVICE_PORT: '0' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = once(service, 'exit');
    const pidFile = path.join(state, 'postgres/postmaster.pid');
    await expect.poll(() => fs.existsSync(pidFile), { timeout: 30_000 }).toBe(true);
    const pid = Number(fs.readFileSync(pidFile, 'utf8').split('\n')[0]);
    service.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(() => process.kill(pid, 0)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    expect(fs.existsSync(pidFile)).toBe(false);
  });

  it('takes no arguments, and says so without making anything', async () => {
    const state = path.join(makeStateDir(), 'none');
    const main = path.join(import.meta.dirname, '../apps/control-plane/src/main.ts');
    for (const [word, status] of [
      ['--help', 0],
      ['--port=7', 2],
    ] as const) {
      const ended = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, word], {
        env: { CORDON_STATE: state },
        encoding: 'utf8',
      });
      expect({ status: ended.status, said: ended.stdout + ended.stderr }).toEqual({
        status,
        said: expect.stringContaining('CORDON_STATE') as unknown,
      });
    }
    expect(fs.existsSync(state)).toBe(false);
  });
});
