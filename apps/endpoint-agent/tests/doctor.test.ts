/** `cordon doctor` as a person meets it: before anything is set up, and when all is well. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import fs from 'node:fs';
import type { Check } from '../src/doctor/check.ts';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { createWorld, processesWith, type World } from './_world.ts';

/** A command takes a moment, and longer on a machine that is busy. */
const SLOW = { timeout: 30_000 };

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon | undefined;

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world);
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world?.remove();
});

const examine = async (...args: string[]): Promise<{ status: number | null; passed: boolean; checks: readonly Check[] }> => {
  const { status, stdout, stderr } = await installation.cordon(['doctor', '--json', ...args]);
  expect(stderr).toBe('');
  return { status, ...(JSON.parse(stdout) as { passed: boolean; checks: readonly Check[] }) };
};
const stateOf = (checks: readonly Check[], name: string): string | undefined => checks.find((check) => check.name === name)?.state;

it('before this device is enrolled it says what is missing, how to mend it, and that agents could be contained', async () => {
  const { status, passed, checks } = await examine('--server', plane.url);
  expect({ status, passed }).toEqual({ status: 1, passed: false });
  expect(checks.filter(({ state }) => state === 'failed').map(({ name }) => name)).toEqual(['enrollment', 'daemon']);
  for (const name of ['node', 'bwrap', 'socat', 'mxc', 'user namespaces', 'containment', 'disk', 'control plane', 'clock'])
    expect(`${name} ${stateOf(checks, name)}`).toBe(`${name} ok`);
  const text = (await installation.cordon(['doctor'])).stdout;
  expect(text).toMatch(/^FAILED +enrollment +this device belongs to no organisation\n +to mend it: cordon enroll --server URL/m);
  expect(text).toMatch(/\n2 of \d+ checks failed\n$/);
  // Nothing of a trial stays behind.
  expect(fs.readdirSync('/tmp').filter((name) => name.startsWith('cordon-doctor-') && processesWith(name).length > 0)).toEqual([]);
});

it('says so when all is well', async () => {
  plane.publish('allow: { filesystem: { write: ["${workspace}"] } }');
  await enrol(installation, world, plane.url, plane.token());
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('selftest').length).toBeGreaterThan(0), { timeout: 30_000 });
  const { status, passed, checks } = await examine();
  expect(checks.filter(({ state }) => state === 'failed')).toEqual([]);
  expect({ status, passed }).toEqual({ status: 0, passed: true });
  for (const name of ['enrollment', 'daemon', 'session', 'policy', 'self-test', 'events', 'control plane'])
    expect(`${name} ${stateOf(checks, name)}`).toBe(`${name} ok`);
  expect((await installation.cordon(['doctor'])).stdout).toMatch(/\nnothing is missing(?:; \d+ warnings?)?\n$/);
});

it('names what stands between this device and its control plane', async () => {
  await plane.cut();
  await expect.poll(async () => (await installation.status()).connected, SLOW).toBe(false);
  const { status, checks } = await examine();
  expect(status).toBe(1);
  expect(checks.find(({ name }) => name === 'control plane')).toMatchObject({
    state: 'failed',
    detail: expect.stringContaining('[ECONNREFUSED]') as unknown,
  });
  expect(stateOf(checks, 'session')).toBe('warning');
  expect(stateOf(checks, 'policy')).toBe('ok');
  await plane.mend();
});

it('refuses what is no way to a control plane, and goes on with the rest', async () => {
  const { status, checks } = await examine('--server', 'http://cordon.example');
  expect(status).toBe(1);
  expect(checks.find(({ name }) => name === 'control plane')).toMatchObject({
    detail: expect.stringContaining('[server.plaintext]') as unknown,
  });
  expect(stateOf(checks, 'containment')).toBe('ok');
});
