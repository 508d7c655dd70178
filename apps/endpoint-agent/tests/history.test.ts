/** The daemon as a process, and the history of checkpoints that it is shown: gaps are walked, a second one is told and shown, and neither loosens or stops anything. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { createWorld, type World } from './_world.ts';

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;
const POLICY = 'allow:\n  filesystem: { write: ["${workspace}"] }';

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world);
  plane.publish(POLICY);
  expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
  daemon = await installation.daemon();
  await enforcing(1);
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world?.remove();
});

const soon = { timeout: 30_000, interval: 50 };
const enforcing = (serial: number): Promise<unknown> =>
  vi.waitFor(() => expect(plane.received('ack').at(-1)).toMatchObject({ serial, phase: 'enforced' }), soon);
const told = () => plane.received('finding');

describe('the history of checkpoints on a daemon', () => {
  it('is walked over what was missed, behind what is enforced, and stands in the status', async () => {
    await plane.pass(50);
    plane.publish(POLICY, 'deny:\n  filesystem: { access: ["/srv/payroll"] }');
    await plane.push();
    await enforcing(2);
    await vi.waitFor(async () => expect((await installation.status()).history).toMatchObject({ walking: false, findings: [] }), soon);
    const [request] = plane.received('history');
    expect(request).toMatchObject({ from: 51, to: 0 });
    const { newest } = (await installation.status()).history;
    expect(newest).toMatchObject({ number: 51, serial: 2, audit: { seq: 40 } });
    expect((await installation.cordon(['status'])).stdout).toContain(`audit log at ${newest?.audit.seq}:${newest?.audit.head}`);
    expect([told(), plane.faults]).toEqual([[], []]);
  });

  it('that becomes another one is told with both checkpoints, shown to whoever asks, and known after a restart', async () => {
    plane.forget(1);
    plane.renew();
    await plane.push();
    await enforcing(3);
    await vi.waitFor(() => expect(told().map(({ code }) => code)).toEqual(['history.fork']), soon);
    expect((await installation.cordon(['status'])).stdout).toMatch(
      /HISTORY\.FORK at \S+: 0?\d*\/51 \(serial 3\) after \d+\/51 \(serial 2\)/,
    );
    expect((await installation.status()).enforcing).toMatchObject({ serial: 3, freshness: 'current' });
    expect((await installation.sh('true')).status).toBe(0);

    await daemon.stop();
    daemon = await installation.daemon();
    await vi.waitFor(() => expect(told().length).toBeGreaterThan(1), soon);
    expect(new Set(told().map(({ later }) => later)).size).toBe(1);
    expect((await installation.status()).history.findings).toHaveLength(1);
    expect(plane.faults).toEqual([]);
  });
});
