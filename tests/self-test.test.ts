/**
 * What containment stands on is taken away from a daemon that runs, and given back: it is "not enforced" within a minute, and enforced again when it is mended. The daemon
 * lives in user and mount namespaces of its own, so that only it misses what is taken away.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startControlPlane, type ControlPlane } from '../apps/endpoint-agent/tests/_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld, IS_ROOT, processesWith, type World } from '../apps/endpoint-agent/tests/_world.ts';

/** What is promised. */
const SOON = { timeout: 60_000, interval: 100 };
const MAP = '0 0 65536';

let holder: ChildProcess | undefined;
let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;

/** A command as root of the daemon's namespaces. */
const inside = (line: string): { status: number | null; output: string } => {
  const words = ['-t', `${holder?.pid}`, '-U', '-m', '-S', '0', '-G', '0', '--', 'sh', '-c', line];
  const { status, stdout, stderr } = spawnSync('nsenter', words, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
};

/** Namespaces in which /usr/bin can be changed without anybody else's noticing. */
const hold = async (): Promise<boolean> => {
  if (!IS_ROOT) return false;
  holder = spawn('unshare', ['-U', '-m', '--propagation', 'private', 'sleep', '600'], { stdio: 'ignore' });
  try {
    await vi.waitFor(() => expect(fs.readlinkSync(`/proc/${holder?.pid}/ns/user`)).not.toBe(fs.readlinkSync('/proc/self/ns/user')));
    for (const map of ['uid_map', 'gid_map']) fs.writeFileSync(`/proc/${holder.pid}/${map}`, MAP);
  } catch {
    return false; // this machine makes no such namespaces
  }
  const change = 'lowerdir=/usr/bin,upperdir=/mnt/upper,workdir=/mnt/work';
  return inside(`mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work && mount -t overlay overlay -o ${change} /usr/bin`).status === 0;
};

const canTakeAway = await hold();
if (!canTakeAway) console.warn('this machine gives no namespaces in which a daemon could miss something: nothing of that was tried');

const last = () => plane.received('selftest').at(-1)?.result;
const failing = (): string[] => (last()?.checks ?? []).filter(({ passed }) => !passed).map(({ detail }) => detail);
const passed = async (): Promise<void> => {
  await expect.poll(() => last()?.passed, SOON).toBe(true);
  await expect.poll(async () => (await installation.status()).selfTest?.passed, SOON).toBe(true);
};
const notEnforced = async (why: RegExp): Promise<void> => {
  await expect.poll(() => [last()?.passed, failing().join('; ')], SOON).toEqual([false, expect.stringMatching(why)]);
  expect((await installation.cordon(['status'])).stdout).toMatch(/^self-test {2}FAILED/m);
  // It rides with what is enforced.
  expect(last()?.digest).toBe(plane.received('ack').at(-1)?.digest);
};

describe.runIf(canTakeAway)('a daemon from which something is taken away', () => {
  beforeAll(async () => {
    plane = await startControlPlane();
    world = createWorld();
    installation = install(world);
    // For one agent alone: no policy is for any agent, and the test is run all the same.
    plane.publish('match: { agents: [claude-code] }\nallow: { filesystem: { write: ["${workspace}"] } }');
    await enrol(installation, world, plane.url, plane.token());
    daemon = await installation.daemon(['nsenter', '-t', `${holder?.pid}`, '-U', '-m', '-S', '0', '-G', '0', '--']);
  });
  afterAll(async () => {
    await daemon?.stop();
    await plane?.stop();
    world?.remove();
    holder?.kill('SIGKILL');
  });

  const egress = (): number => {
    const [pid] = processesWith('egress/main').filter((one) =>
      fs.readFileSync(`/proc/${one}/stat`, 'latin1').includes(` ${daemon.process.pid} `),
    );
    if (pid === undefined) throw new Error('there is no egress process');
    return pid;
  };

  it('is proved to enforce, whomever its policy is for', passed);

  it('says so when bubblewrap is removed, and when it is back', async () => {
    expect(inside('mv /usr/bin/bwrap /usr/bin/bwrap.away').status).toBe(0);
    await notEnforced(/bwrap is not there any more/);
    expect(inside('mv /usr/bin/bwrap.away /usr/bin/bwrap').status).toBe(0);
    await passed();
  });

  it('says so when user namespaces are forbidden, and when they are not any more', async () => {
    const before = inside('cat /proc/sys/user/max_user_namespaces').output.trim();
    expect(inside('echo 0 > /proc/sys/user/max_user_namespaces').status).toBe(0);
    await notEnforced(/user namespaces/);
    expect(inside(`echo ${before} > /proc/sys/user/max_user_namespaces`).status).toBe(0);
    await passed();
  });

  it('says so when its egress process hangs, and when it goes on', async () => {
    const pid = egress();
    process.kill(pid, 'SIGSTOP');
    await notEnforced(/egress process \d+ is stopped/);
    process.kill(pid, 'SIGCONT');
    await passed();
  });

  it('says so when its egress process is killed; the next one is tested as the first was', async () => {
    const count = plane.received('selftest').length;
    process.kill(egress(), 'SIGKILL');
    await expect
      .poll(
        () =>
          plane
            .received('selftest')
            .slice(count)
            .some(({ result }) => !result.passed),
        SOON,
      )
      .toBe(true);
    await passed();
  });
});
