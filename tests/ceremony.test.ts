/** An organisation whose root and floor keys never touch the server: made by `cordonctl`, taken in by the control plane, changed by later ceremonies. */
import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { configFrom } from '../apps/control-plane/src/config.ts';
import { poolConfig, type DatabaseAccess } from '../apps/control-plane/src/db/client.ts';
import { createControlPlane, type ControlPlane } from '../apps/control-plane/src/start.ts';
import { enrol, install } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld } from '../apps/endpoint-agent/tests/_world.ts';
import { freePort } from '../infra/free-port.ts';
import '../infra/vitest-database.ts';

const run = promisify(execFile);
const cordonctl = async (...args: readonly string[]): Promise<string> =>
  (
    await run(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      path.join(import.meta.dirname, '../apps/cordonctl/src/main.ts'),
      ...args,
    ])
  ).stdout;

let folder: string;
let owner: DatabaseAccess;
beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-founding-'));
  const { superuser, owner: role } = inject('database');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const client = new pg.Client(poolConfig(superuser, 1));
  await client.connect();
  await client.query(`CREATE DATABASE ${name} OWNER ${role.user}`);
  await client.end();
  owner = { ...role, database: name };
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

const start = (ceremony?: string, devicePort = 0): Promise<ControlPlane> =>
  createControlPlane(
    configFrom({
      CORDON_STATE: path.join(folder, 'state'),
      CORDON_ADMIN_PORT: '0',
      CORDON_DEVICE_PORT: String(devicePort),
      CORDON_LOG: 'silent',
      ...(ceremony !== undefined && { CORDON_ORGANISATION: ceremony }),
    }),
    { owner },
  );
/** What a start gives, stopped again. */
const startAndStop = async (
  ceremony?: string,
): Promise<{ readonly roots: number; readonly fingerprint: string; readonly epoch: number; readonly serial: number }> => {
  const { context, close } = await start(ceremony);
  const { organisation, published } = context;
  const result = {
    roots: organisation.roots.length,
    fingerprint: organisation.fingerprint,
    epoch: published.checkpoint?.epoch ?? -1,
    serial: published.checkpoint?.serial ?? -1,
  };
  await close();
  return result;
};
const at = (...names: readonly string[]): string => path.join(folder, ...names);

describe('an organisation made by a ceremony', () => {
  it('is taken in by the server, goes on with rotated keys and a raised epoch, and refuses what is not its own', async () => {
    const said = await cordonctl('keys', 'init', '--out', at('org'));
    const fingerprint = /root fingerprint\s+(\S+)/.exec(said)?.[1];
    expect(await startAndStop(at('org', 'server'))).toMatchObject({ roots: 1, fingerprint, epoch: 0 });
    expect(fs.readdirSync(at('state', 'signer'))).not.toContain('offline-keys.json');
    expect(await startAndStop()).toMatchObject({ roots: 1, fingerprint });

    const newest = (of: string): string => at(of, 'server', 'organisation.json');
    await cordonctl(
      'keys',
      'rotate',
      'checkpoint',
      '--organisation',
      newest('org'),
      '--with',
      at('org', 'root-1.key'),
      '--with',
      at('org', 'root-2.key'),
      '--out',
      at('v2'),
    );
    expect(await startAndStop(at('v2', 'server'))).toMatchObject({ roots: 2, fingerprint, epoch: 0 });
    // Another replica: its signer has nothing yet, and the database has these roots already.
    fs.rmSync(at('state', 'signer'), { recursive: true });
    await expect(start()).rejects.toMatchObject({ code: 'organisation.no-signer-keys' });
    expect(await startAndStop(at('v2', 'server'))).toMatchObject({ roots: 2, fingerprint, epoch: 0 });
    await cordonctl(
      'keys',
      'raise-epoch',
      '--organisation',
      newest('v2'),
      '--with',
      at('org', 'root-2.key'),
      '--with',
      at('org', 'root-3.key'),
      '--out',
      at('v3'),
    );
    expect(await startAndStop(at('v3', 'server'))).toMatchObject({ roots: 3, fingerprint, epoch: 1 });
    expect(await startAndStop(at('v3', 'server'))).toMatchObject({ roots: 3, epoch: 1 });

    await expect(start(at('v2', 'server'))).rejects.toMatchObject({ code: 'organisation.fork' });
    await cordonctl('keys', 'init', '--out', at('other'));
    await expect(start(at('other', 'server'))).rejects.toMatchObject({ code: 'organisation.other' });
    await expect(start(at('nowhere'))).rejects.toMatchObject({ code: 'organisation.ceremony' });
    expect(await startAndStop()).toMatchObject({ roots: 3, epoch: 1 });
  });

  it('is not taken in when its root was changed on the way', async () => {
    await cordonctl('keys', 'init', '--out', at('org'), '--root-keys', '1', '--root-threshold', '1');
    const file = at('org', 'server', 'organisation.json');
    const organisation = JSON.parse(fs.readFileSync(file, 'utf8')) as { roots: string[] };
    const root = JSON.parse(organisation.roots[0] ?? '') as { payload: string };
    root.payload = Buffer.from(Buffer.from(root.payload, 'base64url').toString().replace('"threshold":1', '"threshold":0')).toString(
      'base64url',
    );
    fs.writeFileSync(file, JSON.stringify({ ...organisation, roots: [JSON.stringify(root)] }));
    await expect(start(at('org', 'server'))).rejects.toMatchObject({ code: 'root.schema' });
  });

  it('goes on with its fleet: a device follows a rotated key and a raised epoch by itself, and enforces what they sign', async () => {
    await cordonctl('keys', 'init', '--out', at('org'));
    const port = await freePort(randomInt(12_000, 31_000));
    const first = await start(at('org', 'server'), port);
    const world = createWorld();
    onTestFinished(() => world.remove());
    const installation = install(world);
    const admin = async <T>(plane: ControlPlane, method: 'GET' | 'POST', url: string, payload?: object): Promise<T> =>
      (
        await plane.listeners.admin.app.inject({
          method,
          url: `/api/v1${url}`,
          ...(payload !== undefined && { payload }),
          headers: { authorization: `Bearer ${first.bootstrapToken}` },
        })
      ).json();
    const { token } = await admin<{ token: string }>(first, 'POST', '/enrollment-tokens', { name: 'story' });
    expect(await enrol(installation, world, `http://127.0.0.1:${port}`, token)).toMatchObject({ status: 0 });
    const daemon = await installation.daemon();
    onTestFinished(async () => void (await daemon.stop()));
    const serialInForce = async (): Promise<number | undefined> => (await installation.status()).enforcing?.serial;
    await vi.waitFor(async () => expect(await serialInForce()).toBeDefined(), { timeout: 30_000, interval: 100 });
    await first.close();

    const newest = (of: string): string => at(of, 'server', 'organisation.json');
    const two = ['--with', at('org', 'root-1.key'), '--with', at('org', 'root-2.key')];
    await cordonctl('keys', 'rotate', 'checkpoint', '--organisation', newest('org'), ...two, '--out', at('v2'));
    await cordonctl('keys', 'raise-epoch', '--organisation', newest('v2'), ...two, '--out', at('v3'));
    // The keys of the second ceremony, the roots of both: what the third brings has no online keys of its own.
    const middle = await start(at('v2', 'server'), port);
    await middle.close();
    const last = await start(at('v3', 'server'), port);
    onTestFinished(() => last.close());
    await vi.waitFor(async () => expect((await installation.status()).enforcing?.epoch).toBe(1), { timeout: 60_000, interval: 100 });
    expect(JSON.parse(fs.readFileSync(path.join(installation.stateDir, 'enrollment.json'), 'utf8'))).toMatchObject({
      roots: last.context.organisation.roots,
    });
    const { serial } = await admin<{ serial: number }>(last, 'POST', '/publish', { title: 'after the ceremony' });
    await vi.waitFor(async () => expect(await serialInForce()).toBeGreaterThanOrEqual(serial - 1), { timeout: 30_000, interval: 100 });
    await daemon.stop();
    const again = await installation.daemon();
    onTestFinished(async () => void (await again.stop()));
    expect((await installation.status()).enforcing?.epoch).toBe(1);
  });
});
