/** The daemon as a device with an identity: joined by itself, waiting, counted, and with a key that is replaced. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { createWorld, type World } from './_world.ts';

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startControlPlane();
  plane.publish('allow:\n  filesystem: { write: ["${workspace}"] }');
});
afterAll(() => plane?.stop());

let world: World;
let installation: Installation;
let daemon: Daemon | undefined;
beforeEach(() => {
  world = createWorld();
  installation = install(world);
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  plane.pending = false;
  world.remove();
});
const start = async (): Promise<void> => {
  daemon = await installation.daemon();
};
/** In force, and with a session: what is on disk is in force before that. */
const enforces = (): Promise<void> =>
  expect
    .poll(
      async () => {
        const { enforcing, connected } = await installation.status();
        return [enforcing?.serial, connected];
      },
      { timeout: 30_000 },
    )
    .toEqual([1, true]);

describe('a machine that an MDM has told how to join', () => {
  it('joins when its daemon starts, with the token used once over a restart in the middle, and keeps none of it', async () => {
    const config = path.join(world.root, 'enroll.json');
    const token = plane.token();
    fs.writeFileSync(config, JSON.stringify({ server: plane.url, token }), { mode: 0o600 });
    const before = plane.enrolled.size;
    await plane.cut();
    const told = ['env', `CORDON_ENROLL_CONFIG=${config}`];
    // Nobody answers, and the machine is switched off while it asks.
    const waiting = await installation.daemon(['timeout', '-s', 'KILL', '3', ...told]);
    expect(waiting.log()).toContain('[server.unreachable]; again in');
    await plane.mend();
    daemon = await installation.daemon(told);
    expect(daemon.log()).toMatch(/enrolled as dev_\S+ in org_story/);
    expect(plane.enrolled.size).toBe(before + 1);
    await enforces();
    const environment = fs.readFileSync(`/proc/${daemon.process.pid}/environ`, 'latin1');
    expect(environment).not.toContain(token);
    // The file may go once it is done; the next start does not miss it.
    fs.rmSync(config);
    await daemon.stop();
    daemon = await installation.daemon(told);
    await enforces();
  });

  it('says what is wrong with that at once, and serves nothing', async () => {
    const config = path.join(world.root, 'enroll.json');
    fs.writeFileSync(config, JSON.stringify({ server: plane.url, token: plane.token({ state: 'used' }) }), { mode: 0o600 });
    const { status, stderr } = await installation.cordon(['daemon'], { env: { CORDON_ENROLL_CONFIG: config } });
    expect([status, stderr]).toEqual([125, 'cordon: the test refuses: enroll.token-used [enroll.token-used]\n']);
  });
});

describe('a device that waits for an administrator', () => {
  it('says so to whoever asks, launches nothing, and takes its state the moment it comes', async () => {
    plane.pending = true;
    expect((await enrol(installation, world, plane.url, plane.token())).stdout).toContain('waiting for an administrator');
    await start();
    const refused = await installation.sh('true');
    expect([refused.status, refused.stderr]).toEqual([125, expect.stringMatching(/waiting for an administrator .*\[launch\.pending\]/)]);
    const { stdout } = await installation.cordon(['status']);
    expect(stdout).toMatch(/^enforcing +this device is waiting for an administrator/m);
    plane.pending = false;
    await expect.poll(() => plane.connections(), { timeout: 15_000 }).toBe(1);
    await plane.push();
    await enforces();
    expect((await installation.sh('true')).status).toBe(0);
  });
});

describe('the sessions and the key of a device', () => {
  it('are counted on disk, one line over restarts and rotations; the key is another one, the device the same', async () => {
    expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
    const first = plane.joins.length;
    await start();
    await enforces();
    const { device } = await installation.status();
    const key = plane.keys().at(-1);
    const rotated = await installation.cordon(['rotate-key']);
    expect(rotated.stderr).toBe('');
    const next = plane.keys().at(-1);
    expect(next).not.toBe(key);
    expect(rotated.stdout).toBe(`the key of this device is now ${next}\n`);
    await daemon?.kill();
    await start();
    await enforces();
    expect((await installation.status()).device).toBe(device);
    await daemon?.stop();
    await start();
    await enforces();
    const joins = plane.joins.slice(first);
    expect(joins.map(({ count }) => count)).toEqual(joins.map((_, i) => i + 1));
    for (const [i, join] of joins.entries()) if (i > 0) expect(join.last).toBe(joins[i - 1]?.next);
    expect(plane.faults).toEqual([]);
    expect(fs.statSync(path.join(installation.stateDir, 'joins.json')).mode & 0o777).toBe(0o600);
  });
});
