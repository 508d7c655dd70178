/**
 * An approver, a control plane and a daemon, each as it is: `cordonctl` signs and brings, the service verifies and delivers, the daemon obeys and answers. With
 * two approvers of two, neither the online keys nor one approver alone makes a device be left alone or leave.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { enrol, install, type Daemon } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld } from '../apps/endpoint-agent/tests/_world.ts';
import { cordonctl, makeFolder, makeSite, start, type Said } from './_fleet.ts';

const SLOW = { timeout: 60_000, interval: 100 };
const world = createWorld();
let daemon: Daemon | undefined;
afterAll(async () => {
  await daemon?.kill();
  world.remove();
});

interface Order {
  readonly state: string;
  readonly code: string | null;
}

it('a grant and a retirement, from the approvers’ keys to the device and back', async () => {
  const keys = path.join(makeFolder(), 'org');
  const made = await cordonctl(['keys', 'init', '--out', keys, '--approvers', '2', '--approver-threshold', '2']);
  expect(made).toMatchObject({ status: 0, stderr: '' });
  const plane = await start(await makeSite(), path.join(keys, 'server'));
  const installation = install(world);
  const token = async (): Promise<string> => (await plane.ask<{ token: string }>('POST', '/enrollment-tokens', { name: 'laptop' })).token;
  expect((await enrol(installation, world, plane.deviceUrl, await token())).status).toBe(0);
  const { items } = await plane.ask<{ items: { id: string }[] }>('GET', '/devices');
  const device = items[0]?.id ?? expect.fail('no device');
  const begin = async (): Promise<Daemon> => {
    const next = await installation.daemon();
    await expect.poll(async () => (await installation.status()).connected, SLOW).toBe(true);
    return next;
  };
  daemon = await begin();
  const integrity = (): Promise<{ after: string; hellos: number; finding: { code: string } | null }> =>
    plane.ask('GET', `/devices/${device}/integrity`);
  const orders = async (): Promise<readonly Order[]> => (await plane.ask<{ items: Order[] }>('GET', `/devices/${device}/orders`)).items;
  await expect.poll(async () => (await plane.tell('GET', `/devices/${device}/integrity`)).status, SLOW).toBe(200);

  const tokenFile = path.join(makeFolder(), 'token');
  fs.writeFileSync(tokenFile, plane.ownerToken, { mode: 0o600 });
  const key = (name: string): string[] => ['--key', path.join(keys, name)];
  const command = (...args: readonly string[]): Promise<Said> =>
    cordonctl([...args, '--device', device, '--server', plane.adminUrl, '--token-file', tokenFile]);

  // A stop that nobody granted is seen; one that two approvers granted is not counted. A daemon of its user ends whenever that user goes.
  await daemon.stop();
  daemon = await begin();
  await expect.poll(async () => (await integrity()).after, SLOW).toBe('stop');
  const isSystem = process.getuid?.() === 0;
  expect((await integrity()).finding?.code).toBe(isSystem ? 'device.daemon-stopped' : undefined);
  if (isSystem) await plane.ask('POST', `/devices/${device}/integrity/dismiss`);
  expect(await command('maintenance', 'grant', '--hours', '9', ...key('approver-1.key'))).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('[maintenance.lifetime]'),
  });
  const one = await command('maintenance', 'grant', '--hours', '2', ...key('approver-1.key'));
  expect(one).toMatchObject({ status: 2, stderr: expect.stringContaining('[maintenance.threshold]') });
  const draft = path.join(makeFolder(), 'grant.json');
  expect((await command('maintenance', 'grant', '--hours', '2', ...key('approver-1.key'), '--out', draft)).stdout).toContain('1 more must');
  const alone = await plane.tell('POST', `/devices/${device}/orders`, { order: 'maintenance', text: fs.readFileSync(draft, 'utf8') });
  expect([alone.status, alone.body]).toEqual([400, expect.objectContaining({ code: 'maintenance.threshold' })]);
  expect(await command('maintenance', 'grant', '--add', draft, ...key('approver-2.key'))).toMatchObject({ status: 0, stderr: '' });
  await expect.poll(async () => (await orders()).map(({ state }) => state), SLOW).toEqual(['accepted']);
  expect((await installation.status()).maintenance).not.toBeNull();
  await daemon.stop();
  daemon = await begin();
  await expect.poll(async () => (await integrity()).after, SLOW).toBe('maintenance');
  expect((await integrity()).finding).toBeNull();

  // Revoked or not, it goes on until it is retired.
  expect(await command('retire', ...key('approver-1.key'))).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('[retirement.threshold]'),
  });
  const ended = once(daemon.process, 'exit');
  expect(await command('retire', ...key('approver-1.key'), ...key('approver-2.key'))).toMatchObject({ status: 0, stderr: '' });
  expect(await ended).toEqual([0, null]);
  expect(fs.readdirSync(installation.stateDir).filter((name) => name !== 'in-use.lock')).toEqual(['retired.json']);
  await expect.poll(async () => (await orders())[0]?.state, SLOW).toBe('accepted');
  await expect.poll(async () => (await plane.ask<{ state: string }>('GET', `/devices/${device}`)).state, SLOW).toBe('retired');
  // Whoever is out can come in again, as somebody new.
  expect((await enrol(installation, world, plane.deviceUrl, await token())).status).toBe(0);
  expect((await plane.ask<{ items: { id: string; state: string }[] }>('GET', '/devices')).items.map(({ state }) => state).sort()).toEqual([
    'active',
    'retired',
  ]);
}, 180_000);
