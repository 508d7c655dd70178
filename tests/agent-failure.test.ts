/** When things fail for a daemon as a process: a disk that takes nothing, a policy that kills, a stop that nobody granted, and the one way out of an organisation. */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keyNamed, keysFor } from '@cordon/policy/trust/_world.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import type { OrderKind } from '@cordon/policy/protocol/orders.ts';
import { machineBoot } from '../apps/endpoint-agent/src/machine.ts';
import { startControlPlane, type ControlPlane } from '../apps/endpoint-agent/tests/_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from '../apps/endpoint-agent/tests/_daemon.ts';
import { mountTinyDisk, type TinyDisk } from '../apps/endpoint-agent/tests/_tiny-disk.ts';
import { createWorld, IS_ROOT, type World } from '../apps/endpoint-agent/tests/_world.ts';

const HOST = 'packages.example';
const HOUR = 3_600_000;
const ORG = 'org_story';
const SLOW = { timeout: 60_000, interval: 50 };

let [plane, world, installation]: [ControlPlane, World, Installation] = [] as never;
let [daemon, disk]: [Daemon | undefined, TinyDisk | undefined] = [undefined, undefined];
let web: http.Server;
let port: number;
beforeAll(async () => {
  web = http.createServer((_request, response) => void response.end('a package\n')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  ({ port } = web.address() as AddressInfo);
});
afterAll(() => void web.close());
beforeEach(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world, { [HOST]: '127.0.0.1' });
});
afterEach(async () => {
  await daemon?.kill();
  daemon = undefined;
  await plane.stop();
  disk?.remove();
  disk = undefined;
  world.remove();
});

const workspace = 'filesystem: { write: ["${workspace}"] }';
const begin = async (...specs: string[]): Promise<void> => {
  plane.publish(...specs);
  expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
  daemon = await installation.daemon();
  await expect.poll(() => acks(), SLOW).toContain('enforced 1');
};
const acks = (): string[] =>
  plane.received('ack').map(({ serial, phase, code }) => `${phase} ${serial}${code === undefined ? '' : ` ${code}`}`);
const events = (): { readonly kind: string; readonly [name: string]: unknown }[] =>
  plane.received('telemetry').flatMap((frame) => [...frame.events]);
const lastHello = () => plane.received('hello').at(-1)?.integrity;
const publish = async (spec: string): Promise<void> => {
  plane.publish(spec);
  await plane.push();
};

describe.runIf(IS_ROOT)('a disk that takes nothing any more', () => {
  const fetchLine = `perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("127.0.0.1:3128") or die; print $s "GET http://${HOST}:$ARGV[0]/ HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"; print while <$s>'`;
  const usual = (): string => `allow:\n  ${workspace}\n  network: { hosts: [{ host: ${HOST}, ports: [${port}], private: true }] }`;
  /** Longer than any room that may come free meanwhile. */
  const LONG = `deny:\n  filesystem: { access: [${Array.from({ length: 100 }, (_, i) => `"/srv/${'a'.repeat(200)}/${i}"`).join(', ')}] }`;
  beforeEach(() => {
    disk = mountTinyDisk(1_048_576);
    fs.symlinkSync(disk?.folder ?? '', path.join(world.root, 'never-used'));
    installation = install(world, { [HOST]: '127.0.0.1' }, disk?.folder);
  });

  it('keeps a tighter policy from nobody: live runs and the way out feel it, and it is stored when that can be done', async () => {
    await begin(usual());
    // The way out follows what is acknowledged within milliseconds, and cuts what it finds open then: such a question is asked again.
    const living = installation.sh(
      `echo started > started; until [ -e go ]; do sleep 0.1; done; i=0; until ${fetchLine} ${port} | grep egress.denied; do i=$((i + 1)); [ $i -lt 50 ] || break; done`,
    );
    await expect.poll(() => fs.existsSync(path.join(world.workspace, 'started')), SLOW).toBe(true);
    disk?.fill(0);
    await publish(`allow:\n  ${workspace}\n${LONG}`);
    await expect.poll(acks, SLOW).toContain('enforced 2 state.not-persisted');
    world.file('workspace/go', '');
    const said = await living;
    expect(said.stdout, JSON.stringify(said)).toContain('egress.denied');
    expect((await installation.sh(`${fetchLine} ${port}`)).stdout).toContain('egress.denied');
    disk?.free();
    await expect.poll(acks, SLOW).toContain('enforced 2');
    await daemon?.kill();
    await plane.cut();
    daemon = await installation.daemon();
    expect((await installation.status()).enforcing).toMatchObject({ serial: 2 });
  });

  it('lets nothing in that may give more, until it can be stored', async () => {
    await begin(`allow:\n  ${workspace}`);
    disk?.fill(0);
    await publish(`${usual()}\n${LONG}`);
    await expect.poll(acks, SLOW).toContain('failed 2 state.not-persisted');
    const why = async (): Promise<number | null> => (await installation.cordon(['why', `${HOST}:${port}`])).status;
    expect([await why(), (await installation.status()).enforcing?.serial]).toEqual([3, 1]);
    disk?.free();
    await expect.poll(acks, SLOW).toContain('enforced 2');
    expect(await why()).toBe(0);
    expect((await installation.sh(`${fetchLine} ${port}`)).stdout).toContain('a package');
  });
});

describe('a policy that kills the daemon', () => {
  const poisoned = (where: string): string[] => [
    'env',
    `POISONED=${where}`,
    `NODE_OPTIONS=--import=${path.join(import.meta.dirname, '../apps/endpoint-agent/tests/_poison.mjs')}`,
  ];
  /** Starts it until it lives, as a supervisor does. @returns how often it was started */
  const revive = async (where: string): Promise<number> => {
    for (let starts = 1; starts <= 6; starts += 1) {
      const next = await installation.daemon(poisoned(where));
      const ended = once(next.process, 'exit');
      // It says so when it lives with something, and is killed within moments otherwise.
      const lives = expect.poll(() => next.log(), { timeout: 15_000, interval: 20 }).toMatch(/state\.crash-loop/);
      if (
        (await Promise.race([
          ended.then(() => 'ended'),
          lives.then(
            () => 'lives',
            () => 'silent',
          ),
        ])) === 'lives'
      ) {
        daemon = next;
        return starts;
      }
      await next.kill();
    }
    return Number.NaN;
  };
  const take = async (where: string, first: string, second: string): Promise<void> => {
    plane.publish(first);
    expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
    const before = await installation.daemon(poisoned(where));
    await expect.poll(acks, SLOW).toContain('enforced 1');
    const ended = once(before.process, 'exit');
    await publish(second);
    expect(await ended).toEqual([null, 'SIGKILL']);
  };
  const LAX = `allow:\n  ${workspace.replace(' }', '')}, read: ["/srv/poison"] }`;
  const USUAL = `allow:\n  ${workspace}`;
  const TIGHT = `${USUAL}\ndeny:\n  filesystem: { access: ["/srv/poison"] }`;

  it('three times is left alone: the one before goes on, where that gives nothing more', async () => {
    await take('plan', USUAL, LAX.replace('write: ["${workspace}"],', 'write: ["${workspace}"],'));
    expect(await revive('plan')).toBe(TRIALS);
    await expect.poll(acks, SLOW).toContain('failed 2 state.crash-loop');
    expect((await installation.sh('echo goes on')).stdout).toBe('goes on\n');
    expect((await installation.status()).enforcing).toMatchObject({ serial: 1 });
    // What differs is taken, and is older than nothing that was accepted.
    await publish(`${USUAL}\n  environment: [LANG]`);
    await expect.poll(acks, SLOW).toContain('enforced 3');
  });

  it('and gives less than the one before: nothing launches, with a code that says what to do', async () => {
    await take('plan', USUAL, TIGHT);
    expect(await revive('plan')).toBe(TRIALS);
    const refused = await installation.sh('true');
    expect([refused.status, refused.stderr]).toEqual([125, expect.stringMatching(/Publish one that differs.*\[launch\.crash-loop\]/s)]);
    await expect.poll(() => lastHello()?.accepted.serial, SLOW).toBe(2);
    await expect.poll(acks, SLOW).toContain('failed 2 state.crash-loop');
    await publish(USUAL);
    await expect.poll(async () => (await installation.sh('true')).status, SLOW).toBe(0);
  });

  it('also while it judges what may stand in its place: then nothing does', async () => {
    await take(
      'resolve',
      USUAL,
      `${USUAL}\n  filesystem_: 1`
        .replace('\n  filesystem_: 1', '')
        .replace('write: ["${workspace}"]', 'write: ["${workspace}"], read: ["/srv/poison"]'),
    );
    expect(await revive('resolve')).toBe(TRIALS + 1);
    expect((await installation.sh('true')).stderr).toContain('[launch.crash-loop]');
  });
});
/** It was used by the process that took it, and by two more; the third start after that goes on without it. */
const TRIALS = 3;

const signed = (kind: OrderKind, change: object = {}, keys = keysFor(ORG, 'approver').slice(0, 1)): Promise<string> =>
  signGeneral(
    {
      format: `cordon-${kind}/1`,
      org: ORG,
      device: [...plane.enrolled.keys()].at(-1) ?? '',
      epoch: 3,
      issuedAt: new Date().toISOString(),
      expiresAt: new Date(Date.now() + HOUR).toISOString(),
      ...(kind === 'maintenance' && { boot: machineBoot() }),
      ...change,
    },
    kind === 'maintenance' ? 'cordon-maintenance+jws' : 'cordon-retirement+jws',
    keys,
  );
/** Sends an order, and waits for the answer. */
const order = async (kind: OrderKind, text: string): Promise<string> => {
  const digest = sha256Hex(text);
  plane.send({ type: 'order', order: kind, text });
  const answer = () => plane.received('order.reply').findLast((reply) => reply.digest === digest);
  await expect.poll(answer, SLOW).toBeDefined();
  return answer()?.accepted === true ? 'accepted' : (answer()?.code ?? 'no code');
};

describe('a daemon that is stopped', () => {
  const restart = async (): Promise<void> => {
    const before = plane.received('hello').length;
    daemon = await installation.daemon();
    await expect.poll(() => plane.received('hello').length, SLOW).toBeGreaterThan(before);
  };

  it('is told from one that was killed, and from one that approvers allowed to be stopped', async () => {
    await begin(`allow:\n  ${workspace}`);
    expect(lastHello()).toMatchObject({ after: 'nothing-before', assurance: IS_ROOT ? 'system' : 'user', machineBoot: machineBoot() });
    await daemon?.stop();
    await restart();
    expect(lastHello()?.after).toBe('stop');
    await daemon?.kill();
    await restart();
    expect(lastHello()?.after).toBe('crash');
    for (const [change, code] of [
      [{ device: 'dev_other' }, 'maintenance.device'],
      [{ boot: '99999999-2222-4333-8444-555555555555' }, 'maintenance.boot'],
      [{ expiresAt: new Date(Date.now() + 9 * HOUR).toISOString() }, 'maintenance.lifetime'],
    ] as const)
      expect(await order('maintenance', await signed('maintenance', change))).toBe(code);
    expect(await order('maintenance', await signed('maintenance', {}, keysFor(ORG, 'policy').slice(0, 1)))).toBe('maintenance.threshold');
    expect((await installation.status()).maintenance).toBeNull();
    expect(await order('maintenance', await signed('maintenance'))).toBe('accepted');
    expect((await installation.cordon(['status'])).stdout).toContain('a stop of the daemon is no tampering');
    await daemon?.stop();
    await restart();
    expect(lastHello()?.after).toBe('maintenance');
    // What is enforced is what it was.
    expect((await installation.run(['true'], { cwd: '/sys' })).stderr).toContain('[launch.workspace]');
    await expect
      .poll(
        () =>
          events()
            .filter(({ kind }) => kind === 'daemon')
            .map(({ state, after, code }) => [state, after ?? code]),
        SLOW,
      )
      .toEqual(
        expect.arrayContaining([
          ['started', 'stop'],
          ['started', 'crash'],
          ['maintenance', 'maintenance.begun'],
          ['started', 'maintenance'],
        ]),
      );
    expect(
      events()
        .filter(({ kind }) => kind === 'daemon')
        .every(({ assurance }) => assurance === (IS_ROOT ? 'system' : 'user')),
    ).toBe(true);
    expect(plane.faults).toEqual([]);
  });
});

describe('the way out of an organisation', () => {
  it('is a retirement that approvers signed, and nothing else', async () => {
    await begin(`allow:\n  ${workspace}`);
    const stays = async (): Promise<void> => expect((await installation.sh('echo stays')).stdout).toBe('stays\n');
    plane.send({ type: 'problem', code: 'device.retired', detail: 'you are retired' });
    await stays();
    for (const [text, code] of [
      [await signed('retirement', {}, keysFor(ORG, 'policy').slice(0, 1)), 'retirement.threshold'],
      [await signed('retirement', {}, [keyNamed('thief')]), 'retirement.threshold'],
      [await signed('retirement', { device: 'dev_other' }), 'retirement.device'],
      [await signed('retirement', { issuedAt: new Date(0).toISOString(), expiresAt: new Date(HOUR).toISOString() }), 'retirement.expired'],
      [await signed('maintenance'), 'jws.typ'],
      ['{}', 'jws.encoding'],
    ] as const)
      expect(await order('retirement', text)).toBe(code);
    await stays();
    const again = await enrol(installation, world, plane.url, plane.token());
    expect([again.status, again.stderr]).toEqual([125, expect.stringContaining('[enroll.already]')]);
    await plane.cut();
    await stays();
    await plane.mend();
    await expect.poll(() => plane.connections(), SLOW).toBe(1);
    const exited = once(daemon?.process ?? expect.fail('no daemon'), 'exit');
    expect(await order('retirement', await signed('retirement'))).toBe('accepted');
    expect(await exited).toEqual([0, null]);
    expect(plane.received('order.reply').at(-1)?.proof).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(fs.readdirSync(installation.stateDir).filter((name) => name !== 'in-use.lock')).toEqual(['retired.json']);
    const next = await installation.cordon(['daemon']);
    expect([next.status, next.stderr]).toEqual([125, expect.stringMatching(/Enrol it anew.*\[device\.retired\]/s)]);
    expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
    daemon = await installation.daemon();
    await expect.poll(async () => (await installation.sh('echo anew')).stdout, SLOW).toBe('anew\n');
    expect(plane.faults).toEqual([]);
  });

  it('may be taken by hand, with the same retirement and no other', async () => {
    await begin(`allow:\n  ${workspace}`);
    const leave = async (text: string): Promise<string> => {
      const file = world.file('leave.json', text);
      const { status, stdout, stderr } = await installation.cordon(['leave', file]);
      return status === 0 ? stdout : stderr;
    };
    const right = await signed('retirement');
    expect(await leave(right)).toContain('[daemon.already-running]');
    await daemon?.stop();
    const before = fs.readdirSync(installation.stateDir);
    expect(await leave(await signed('retirement', {}, keysFor(ORG, 'policy').slice(0, 1)))).toContain('[retirement.threshold]');
    expect(await leave(await signed('retirement', { device: 'dev_other' }))).toContain('[retirement.device]');
    expect(fs.readdirSync(installation.stateDir)).toEqual(before);
    expect(await leave(right)).toMatch(/has left org_story: nothing is enforced here any more.*\n[\w-]+\.[\w-]+\.[\w-]+\n$/s);
    expect(fs.readdirSync(installation.stateDir).filter((name) => name !== 'in-use.lock')).toEqual(['retired.json']);
    expect(await leave(right)).toContain('[device.retired]');
  });

  it('does not lead through a damaged enrollment: the daemon does not start, and nothing enrols over it', async () => {
    await begin(`allow:\n  ${workspace}`);
    await daemon?.stop();
    const file = path.join(installation.stateDir, 'enrollment.json');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"org":"org_story"', '"org":"org_sTory"'));
    const [start, again] = [await installation.cordon(['daemon']), await enrol(installation, world, plane.url, plane.token())];
    expect([start.status, start.stderr]).toEqual([125, expect.stringContaining('[enroll.damaged]')]);
    expect([again.status, again.stderr]).toEqual([125, expect.stringContaining('[enroll.damaged]')]);
  });
});
