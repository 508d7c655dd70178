/** Independent witnesses: the root demands two of them, real processes follow a real control plane, and devices get nothing that both have not seen. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { poolConfig } from '../apps/control-plane/src/db/client.ts';
import { enroll } from '../apps/endpoint-agent/src/identity/enroll.ts';
import { someFacts } from '../apps/control-plane/tests/_util.ts';
import { freePort } from '../infra/free-port.ts';
import { cordonctl, ctl, join, makeFolder, makeSite, start, wake, type Running, type Said, type Site } from './_fleet.ts';
import { loosen, makeOrganisation, reach } from './_recovery.ts';

const CTL = path.join(import.meta.dirname, '../apps/cordonctl/src/main.ts');

interface Witness {
  readonly process: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
  stop(): Promise<void>;
}

const auditor = async (plane: Running, at: string): Promise<string[]> => {
  const { token } = await plane.ask<{ token: string }>('POST', '/api-tokens', { name: 'witness', role: 'auditor' });
  fs.writeFileSync(at, token, { mode: 0o600 });
  return ['--server', plane.adminUrl, '--token-file', at];
};

const follow = (...args: readonly string[]): Witness => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CTL, 'witness', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void (text += chunk.toString('utf8')));
  const ended = once(child, 'exit').then(([status]) => status as number | null);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  onTestFinished(stop);
  return { process: child, said: () => text, ended, stop };
};

const sql = async ({ owner }: Site, text: string): Promise<void> => {
  const client = new pg.Client(poolConfig(owner, 1));
  await client.connect();
  await client.query(text);
  await client.end();
};

const ready = async (plane: Running): Promise<{ status: string; waiting?: string }> =>
  (await plane.listeners.admin.app.inject({ url: '/readyz' })).json();
const history = (plane: Running): Promise<{ items: { epoch: number; number: number; digest: string; witnesses: string[] }[] }> =>
  plane.ask('GET', '/checkpoints');

describe('an organisation whose root demands two witnesses', () => {
  it(
    'gives devices what both have cosigned, says what it waits for, and goes on when a witness was replaced',
    { timeout: 120_000 },
    async () => {
      const alone = ['--root-keys', '1', '--root-threshold', '1', '--witnesses', '3', '--witness-threshold', '2'];
      const organisation = await makeOrganisation(...alone);
      const { at, site, file } = organisation;
      const plane = await start(site, at('org/server'));
      await loosen(plane, organisation, 1);
      const { fingerprint } = plane.context.organisation;
      const connection = await auditor(plane, at('token'));
      const witness = (number: number): Witness =>
        follow(...connection, '--key', at(`org/witness-${number}.key`), '--state', at(`witness-${number}`), '--fingerprint', fingerprint);

      const { token } = await plane.ask<{ token: string }>('POST', '/enrollment-tokens', { name: 'one' });
      const stateDir = makeFolder();
      await enroll({ stateDir, server: plane.deviceUrl, token, facts: someFacts('one'), now: new Date() });
      const device = await wake(stateDir);
      const first = witness(1);
      await expect.poll(first.said, { timeout: 20_000 }).toMatch(/cosigned 0\/\d+, serial \d+: 1 of 2/);
      expect([(await ready(plane)).waiting, device.inForce()]).toEqual([expect.stringContaining('1 of 2 witnesses'), undefined]);
      const second = witness(2);
      await reach(device, 1);
      expect(await ready(plane)).toEqual({ status: 'ok' });
      // A second process on the same state could sign another history.
      expect(
        await cordonctl(['witness', ...connection, '--key', at('org/witness-1.key'), '--state', at('witness-1'), '--once']),
      ).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('witness.in-use') as unknown,
      });

      // A publish reaches the device by way of both.
      await loosen(plane, organisation, 2);
      await reach(device, 2);
      // One is lost: nothing new until another takes its place; what is in force stays in force.
      await second.stop();
      await loosen(plane, organisation, 3);
      await expect.poll(async () => (await ready(plane)).waiting, { timeout: 20_000 }).toContain('1 of 2 witnesses');
      await reach(device, 2);
      witness(3);
      await reach(device, 3);
      expect((await history(plane)).items.at(-1)?.witnesses).toHaveLength(2);
      // One that comes back has missed some, walks them all, and adds its own.
      const back = ['witness', ...connection, '--key', at('org/witness-2.key'), '--state', at('witness-2'), '--once'];
      expect(await cordonctl(back)).toMatchObject({ status: 0 });
      expect((await history(plane)).items.at(-1)?.witnesses).toHaveLength(3);

      // The root can demand them no longer.
      await plane.close();
      await ctl(
        'keys',
        'rotate',
        'witness',
        '--witnesses',
        '0',
        '--organisation',
        file('org'),
        '--with',
        at('org/root.key'),
        '--out',
        at('v2'),
      );
      const free = await start(site, at('v2/server'));
      expect(await ready(free)).toEqual({ status: 'ok' });
      await loosen(free, organisation, 4);
      await reach(device, 4);
      await expect.poll(() => device.history.status(), { timeout: 20_000 }).toMatchObject({ walking: false, findings: [] });
    },
  );

  it('is served by all replicas alike: a witness of one sets devices of the other going', { timeout: 120_000 }, async () => {
    const organisation = await makeOrganisation('--root-keys', '1', '--root-threshold', '1', '--witnesses', '1');
    const { at, site } = organisation;
    const one = await start(site, at('org/server'));
    await loosen(one, organisation, 1);
    const copy: Site = { stateDir: path.join(makeFolder(), 'state'), port: await freePort(randomInt(12_000, 31_000)), owner: site.owner };
    fs.mkdirSync(copy.stateDir, { mode: 0o700 });
    fs.cpSync(path.join(site.stateDir, 'signer'), path.join(copy.stateDir, 'signer'), {
      recursive: true,
      filter: (file) => !file.endsWith('.sock'),
    });
    fs.copyFileSync(path.join(site.stateDir, 'admin-token'), path.join(copy.stateDir, 'admin-token'));
    const two = await start(copy);
    follow(...(await auditor(one, at('token'))), '--key', at('org/witness.key'), '--state', at('witness'));
    const device = await join(two, 'of the other');
    await reach(device, 1);
    await loosen(one, organisation, 2);
    await reach(device, 2);
    expect((await ready(two)).waiting).toBeUndefined();
  });

  it('is followed by a witness that refuses a second history, also after a restart, and keeps both', { timeout: 120_000 }, async () => {
    const folder = makeFolder();
    const at = (...names: readonly string[]): string => path.join(folder, ...names);
    const site = await makeSite();
    const plane = await start(site);
    const connection = await auditor(plane, at('token'));
    await ctl('keys', 'init', '--out', at('org'), '--root-keys', '1', '--root-threshold', '1', '--witnesses', '1');
    const args = [...connection, '--key', at('org/witness.key'), '--state', at('state')];
    const running = follow(...args);
    // Not one of this organisation's: it watches all the same.
    await expect.poll(running.said, { timeout: 20_000 }).toContain('only watches');
    await plane.ask('POST', '/publish', { title: 'seen' });
    await expect
      .poll(() => JSON.parse(fs.readFileSync(at('state/witness.json'), 'utf8')) as object, { timeout: 20_000 })
      .toMatchObject({ newest: await newestJws(plane) });
    await running.stop();

    // Whoever has the database takes the newest checkpoint away; what is signed next stands in its place.
    await plane.close();
    await sql(site, 'DELETE FROM checkpoint WHERE id = (SELECT max(id) FROM checkpoint)');
    const again = await start(site);
    const elsewhere = [...(await auditor(again, at('token'))), '--key', at('org/witness.key'), '--state', at('state')];
    for (const attempt of ['first', 'second']) {
      const said: Said = await cordonctl(['witness', ...elsewhere]);
      expect(said.status, attempt).toBe(1);
      expect(said.stderr).toContain('WITNESS REFUSES: there are two histories');
      expect(said.stderr).toContain('[witness.fork]');
    }
    const evidence = JSON.parse(fs.readFileSync(at('state/witness.fork.json'), 'utf8')) as { earlier: string; later: string };
    expect(evidence.later).toBe(await newestJws(again));
    expect(evidence.earlier).not.toBe(evidence.later);
  });
});

const newestJws = async (plane: Running): Promise<string> =>
  (await plane.ask<{ items: { jws: string }[] }>('GET', '/checkpoints')).items.at(-1)?.jws ?? '';

describe('a device', () => {
  it(
    'walks over what it missed behind what it enforces, and reports a second history with both checkpoints',
    { timeout: 120_000 },
    async () => {
      const site = await makeSite();
      let plane = await start(site);
      const device = await join(plane, 'one');
      await device.stop();
      // Nothing of this reaches it.
      for (let i = 0; i < 5; i += 1) await plane.ask('POST', '/publish', { title: `missed ${i}` });
      // The other one would find the same fork when it comes back.
      await (await join(plane, 'two')).stop();
      const back = await wake(device.stateDir);
      const newest = async (): Promise<string | undefined> => (await history(plane)).items.at(-1)?.digest;
      await expect.poll(() => back.history.status().newest?.digest, { timeout: 20_000 }).toBe(await newest());
      await expect.poll(() => back.history.status(), { timeout: 20_000 }).toMatchObject({ walking: false, findings: [] });
      expect(back.said.filter((line) => line.includes('HISTORY'))).toEqual([]);
      const { audit, number } = back.history.status().newest ?? {};
      const [head] = (await plane.ask<{ items: { seq: number; hash: string }[] }>('GET', '/audit?limit=1')).items;
      expect([audit?.seq, audit?.head]).toEqual([head?.seq, head?.hash]);

      await back.stop();
      await plane.close();
      await sql(site, 'DELETE FROM checkpoint WHERE id = (SELECT max(id) FROM checkpoint)');
      plane = await start(site);
      const shown = await wake(device.stateDir);
      await expect
        .poll(() => shown.history.status().findings, { timeout: 20_000 })
        .toMatchObject([{ code: 'history.fork', earlier: { number }, later: { number, digest: await newest() } }]);
      // It is no reason to enforce nothing.
      expect(shown.inForce()?.seen[0].digest).toBe(await newest());
      const findings = (): Promise<{ items: { code: string; device: string; proved: boolean }[] }> =>
        plane.ask('GET', `/history-findings?device=${device.id}`);
      await expect
        .poll(findings, { timeout: 20_000 })
        .toMatchObject({ items: [{ code: 'history.fork', device: device.id, proved: true }] });
      const audited = await plane.ask<{ items: { actor: string; subject: string }[] }>('GET', '/audit?action=history.finding');
      expect(audited.items).toMatchObject([{ actor: `device:${device.id}`, subject: device.id }]);
      // Said again at every connection, kept once, and known after a restart of the device.
      await shown.stop();
      const later = await wake(device.stateDir);
      await expect.poll(() => later.channel.connected(), { timeout: 20_000 }).toBe(true);
      expect(later.history.status().findings).toHaveLength(1);
      await plane.ask('POST', '/publish', { title: 'goes on' });
      await expect.poll(() => later.inForce()?.serial, { timeout: 20_000 }).toBeGreaterThan(0);
      expect((await findings()).items).toHaveLength(1);
    },
  );
});
