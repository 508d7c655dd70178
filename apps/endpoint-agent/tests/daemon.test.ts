/** The daemon as a process: enrolled, connected, enforcing, and what happens to it. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { createWorld, processesWith, type World } from './_world.ts';

const HOST = 'packages.example';

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;
let web: http.Server;
let port: number;
/** Everything that a coding agent gets here. */
let usual: string;

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world, { [HOST]: '127.0.0.1' });
  web = http.createServer((_request, response) => void response.end('a package\n')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  ({ port } = web.address() as AddressInfo);
  usual = `allow:
  filesystem: { write: ["\${workspace}"] }
  network: { hosts: [{ host: ${HOST}, ports: [${port}], private: true }] }
  environment: [LANG]`;
  plane.publish(usual);
  expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
  daemon = await installation.daemon();
  await enforcing();
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  web?.close();
  world?.remove();
});

const acks = (): string[] =>
  plane.received('ack').map(({ serial, phase, code }) => `${phase} ${serial}${code === undefined ? '' : ` ${code}`}`);
const lastSerial = (): number => plane.received('ack').at(-1)?.serial ?? -1;
/** Waits until what was published last is acknowledged. */
const enforcing = async (serial = 1): Promise<void> => {
  await vi.waitFor(() => expect(lastSerial()).toBe(serial), { timeout: 30_000, interval: 20 });
};
const events = (): { readonly kind: string; readonly [name: string]: unknown }[] =>
  plane.received('telemetry').flatMap((frame) => [...frame.events]);
const fetchLine = `perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("127.0.0.1:3128") or die; print $s "GET http://${HOST}:$ARGV[0]/ HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"; print while <$s>'`;

describe('a daemon that is connected', () => {
  it('said hello, and enforces and acknowledges what it got', async () => {
    expect(plane.received('hello')[0]).toMatchObject({ enforcing: null, checkpoint: null });
    expect(acks()).toEqual(['enforced 1']);
    const status = await installation.status();
    expect(status).toMatchObject({
      connected: true,
      organisation: 'org_story',
      server: plane.url,
      enforcing: { serial: 1, freshness: 'current' },
      runs: 0,
    });
    expect((await installation.sh('echo hello > made; cat made')).stdout).toBe('hello\n');
  });

  it('proves itself by a self-test of the very bundle', async () => {
    await expect.poll(() => plane.received('selftest').length, { timeout: 30_000 }).toBeGreaterThan(0);
    const { result } = plane.received('selftest')[0] ?? {};
    expect(result?.checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(result).toMatchObject({ passed: true, digest: plane.received('ack')[0]?.digest });
  });

  it('tells what runs did, with numbers that leave nothing out', async () => {
    const { stdout } = await installation.sh(`${fetchLine} ${port}; ${fetchLine} 9`);
    expect(stdout).toContain('a package');
    expect(stdout).toContain('egress.denied');
    expect((await installation.run(['nonexistent-program'])).status).toBe(127);
    await expect
      .poll(() =>
        events()
          .filter(({ kind }) => kind === 'run.ended')
          .map(({ exitCode }) => exitCode),
      )
      .toContain(127);
    expect(events()).toContainEqual(
      expect.objectContaining({ kind: 'egress', verdict: 'allowed', host: HOST, port, policy: 'story', osUser: world.account.name }),
    );
    expect(events()).toContainEqual(
      expect.objectContaining({ kind: 'egress', verdict: 'denied', host: HOST, port: 9, code: 'egress.denied' }),
    );
    const seqs = events().map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    expect(JSON.stringify(events())).not.toContain('IO::Socket'); // the program's name, never its arguments
  });

  it('puts a new state in force at once, also for a run that lives', async () => {
    const living = installation.sh('echo started > started; sleep 3600');
    await expect.poll(() => fs.existsSync(path.join(world.workspace, 'started'))).toBe(true);
    plane.publish('match: { agents: [somebody-else] }\nallow: { filesystem: { write: ["${workspace}"] } }\ngrace: 0s');
    await plane.push();
    await enforcing(2);
    const { status, stderr } = await living;
    expect(status).toBe(137);
    expect(stderr).toMatch(
      /^cordon: this run ends at .* no policy on this device allows anything .*\ncordon: the run was ended \(killed\)\n$/,
    );
    const refused = await installation.sh('true');
    expect(refused.status).toBe(125);
    expect(refused.stderr).toContain('[launch.no-policy]');
    plane.publish(usual);
    await plane.push();
    await enforcing(3);
    expect((await installation.sh('true')).status).toBe(0);
    await expect.poll(() => events().map(({ kind, code }) => `${kind} ${String(code)}`)).toContain('launch.refused launch.no-policy');
  });

  it('ends a run whose time is over under what is in force now, and no other', async () => {
    const living = installation.sh('echo > timed; sleep 3600');
    await expect.poll(() => fs.existsSync(path.join(world.workspace, 'timed')), { timeout: 20_000 }).toBe(true);
    plane.publish(`${usual}\nlimit: { resources: { timeout: 8h } }`);
    await plane.push();
    await enforcing(4);
    expect((await installation.status()).runs).toBe(1);
    plane.publish(`${usual}\nlimit: { resources: { timeout: 1s } }`);
    await plane.push();
    await enforcing(5);
    expect(await living).toMatchObject({ status: 124, stderr: 'cordon: the run was ended (timeout)\n' });
    plane.publish(usual);
    await plane.push();
    await enforcing(6);
  });

  it('keeps what is in force when what comes is bad, and says why', async () => {
    for (const [forgery, code] of [
      [{ content: (content: object) => ({ ...content, format: 'cordon-bundle/2' }) }, 'bundle.schema'],
      [{ manifest: (manifest: object) => ({ ...manifest, size: 5 }) }, 'bundle.digest'],
      [{ cohortLeaf: (leaf: { serial: number }) => ({ ...leaf, digest: 'a'.repeat(64) }) }, 'manifest.digest'],
    ] as const) {
      const before = acks().length;
      plane.renew();
      await plane.push(forgery as object);
      await expect
        .poll(
          () =>
            acks()
              .slice(before)
              .filter((ack) => ack.startsWith('failed')).length,
          { timeout: 10_000 },
        )
        .toBeGreaterThan(0);
      expect(
        acks()
          .slice(before)
          .find((ack) => ack.startsWith('failed')),
      ).toContain(code);
    }
    expect((await installation.sh('echo still')).stdout).toBe('still\n');
    expect((await installation.status()).enforcing?.serial).toBeGreaterThanOrEqual(3);
    await expect
      .poll(() =>
        events()
          .filter(({ kind, state }) => kind === 'policy' && state === 'rejected')
          .map(({ code }) => code),
      )
      .toEqual(expect.arrayContaining(['bundle.schema', 'bundle.digest', 'manifest.digest']));
  });

  it('closes the channel on nonsense, and comes back', async () => {
    const hellos = plane.received('hello').length;
    plane.send('{"type":"execute","command":"id"}');
    await expect.poll(daemon.log).toContain('a kind of frame that only newer versions know; it is passed over');
    expect(plane.received('hello')).toHaveLength(hellos);
    plane.send('{"type":"state","command":"id"}');
    await expect.poll(() => plane.received('hello').length, { timeout: 20_000 }).toBeGreaterThan(hellos);
    expect(plane.received('hello').at(-1)).toMatchObject({ enforcing: { cohort: 'coh_story' } });
    plane.send('not json at all');
    await expect.poll(() => plane.received('hello').length, { timeout: 20_000 }).toBeGreaterThan(hellos + 1);
    expect((await installation.sh('true')).status).toBe(0);
  });

  it('sends a batch again that could not be stored, and the same one', async () => {
    const batches = (): string[] => plane.received('telemetry').map(({ boot, seqTo, hash }) => `${boot} ${seqTo} ${hash}`);
    const more = async (than: number): Promise<void> => {
      await expect.poll(() => batches().length, { timeout: 10_000 }).toBeGreaterThan(than);
    };
    const acknowledged = batches().length;
    plane.acknowledging = false;
    await installation.sh('true');
    await more(acknowledged);
    const before = batches().length;
    const last = batches().at(-1);
    plane.send({ type: 'problem', code: 'telemetry.unavailable', detail: 'not now' });
    await more(before);
    expect(batches()[before]).toBe(last);
    plane.acknowledging = true;
    plane.send({ type: 'problem', code: 'telemetry.unavailable', detail: 'not now' });
    await expect.poll(async () => (await installation.status()).spool.waiting, { timeout: 10_000 }).toBe(0);
  });

  it('sent nothing that its protocol does not know', () => {
    expect(plane.faults).toEqual([]);
  });
});

describe('a run through the command', () => {
  it('has the exit status, the streams and the values that the policy passes on', async () => {
    const { status, stdout, stderr } = await installation.run(['sh', '-c', 'cat; echo "$1 $LANG [$SECRET]" >&2; exit 7', 'sh', "it's"], {
      input: 'through',
      env: { LANG: 'C.UTF-8', SECRET: 'not passed on' },
    });
    expect({ status, stdout, stderr }).toEqual({ status: 7, stdout: 'through', stderr: "it's C.UTF-8 []\n" });
  });

  it('carries large data both ways, also what comes before the run has begun', async () => {
    const input = randomBytes(20_000_000);
    const { status, stdout } = await installation.sh('sha256sum; head -c 10000000 /dev/zero | tr "\\0" x', { input });
    expect(status).toBe(0);
    expect(stdout.slice(0, 64)).toBe(createHash('sha256').update(input).digest('hex'));
    expect(stdout.length).toBe(64 + 4 + 10_000_000);
  });

  it('ends although somebody still sends, or nobody reads any more', async () => {
    const shell = (line: string): Promise<unknown> => {
      const child = spawn('bash', ['-c', line], { cwd: world.workspace, env: { ...installation.env }, stdio: 'ignore' });
      return once(child, 'exit');
    };
    const cordon = installation.command.map((word) => `'${word}'`).join(' ');
    const user = process.getuid?.() === 0 ? `--user ${world.account.name}` : '';
    expect(await shell(`yes | ${cordon} run ${user} -- sh -c 'exit 3'; exit \${PIPESTATUS[1]}`)).toEqual([3, null]);
    await shell(`${cordon} run ${user} -- yes | head -n 1`);
    await expect.poll(async () => (await installation.status()).runs, { timeout: 20_000 }).toBe(0);
  });

  it.each(['nothing', 'more than it reads'])(
    'ends with its command, whatever signal that gets, when there is %s to read',
    async (input) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
        const mark = `signalled-${randomBytes(6).toString('hex')}`;
        const user = process.getuid?.() === 0 ? ['--user', world.account.name] : [];
        const [node = '', ...program] = installation.command;
        const child = spawn(node, [...program, 'run', ...user, '--', 'sh', '-c', 'echo started; sleep 3600', mark], {
          cwd: world.workspace,
          env: { ...installation.env },
          stdio: ['pipe', 'pipe', 'ignore'],
        });
        child.stdin.on('error', () => undefined); // it ends before it has read everything
        child.stdin.end(input === 'nothing' ? '' : Buffer.alloc(8_000_000));
        await once(child.stdout, 'data');
        child.kill(signal);
        await once(child, 'exit');
        await expect.poll(() => processesWith(mark), { timeout: 20_000 }).toEqual([]);
      }
      expect((await installation.status()).runs).toBe(0);
    },
  );

  it('is refused where it may not work, and for root', async () => {
    const refused = await installation.run(['true'], { cwd: '/sys' });
    expect(refused.status).toBe(125);
    expect(refused.stderr).toContain('[launch.workspace]');
    if (process.getuid?.() !== 0) return;
    const asRoot = await installation.cordon(['run', '--', 'true']);
    expect(asRoot.status).toBe(125);
    expect(asRoot.stderr).toContain('[launch.root]');
    expect((await installation.cordon(['run', '--user', 'nobody-of-that-name', '--', 'true'])).stderr).toContain('[local.user]');
  });
});

describe('a second daemon', () => {
  it('on the same state is told that there is one already', async () => {
    const other = createWorld();
    try {
      const second = await install(other).cordon(['daemon'], { env: { CORDON_AGENT_STATE: installation.stateDir } });
      expect(second.status).toBe(125);
      expect(second.stderr).toContain('[daemon.already-running]');
    } finally {
      other.remove();
    }
    expect((await installation.sh('true')).status).toBe(0);
  });

  it('without an enrollment says so', async () => {
    const other = createWorld();
    try {
      const { status, stderr } = await install(other).cordon(['daemon']);
      expect(status).toBe(125);
      expect(stderr).toMatch(/^cordon: .*cordon enroll.* \[enroll\.missing\]\n$/);
    } finally {
      other.remove();
    }
  });
});

describe('when things break', () => {
  it('an egress process that is killed takes only the way out of the runs that live', async () => {
    const [node = '', ...program] = installation.command;
    const user = process.getuid?.() === 0 ? ['--user', world.account.name] : [];
    const child = spawn(
      node,
      [...program, 'run', ...user, '--', 'sh', '-c', `echo started; read line; ${fetchLine} ${port} | tail -n 1; echo over`],
      { cwd: world.workspace, env: { ...installation.env }, stdio: ['pipe', 'pipe', 'inherit'] },
    );
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    await expect.poll(() => said).toContain('started');
    const egress = processesWith('egress/main.ts').filter(
      (pid) => fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ')[3] === String(daemon.process.pid),
    );
    expect(egress).toHaveLength(1);
    process.kill(egress[0] ?? 0, 'SIGKILL');
    await expect.poll(() => daemon.log()).toContain('the egress process died');
    child.stdin.end('go on\n');
    await once(child, 'exit');
    expect(said).toBe('started\nover\n');
    expect((await installation.sh(`${fetchLine} ${port} | tail -n 1`)).stdout).toBe('a package\n');
  });

  it('without its control plane it goes on, over a restart too, and comes back by itself', async () => {
    await plane.cut();
    await expect.poll(async () => (await installation.status()).connected).toBe(false);
    expect((await installation.sh('echo offline')).stdout).toBe('offline\n');
    expect(await daemon.stop()).toBe(0);
    daemon = await installation.daemon();
    const status = await installation.status();
    expect(status).toMatchObject({ connected: false, enforcing: { freshness: 'current' } });
    expect((await installation.sh('echo restarted')).stdout).toBe('restarted\n');
    expect((await installation.cordon(['why', world.workspace, '--write'])).status).toBe(0);
    const before = events().length;
    await plane.mend();
    plane.publish(usual);
    await expect.poll(() => plane.connections(), { timeout: 60_000 }).toBe(1);
    await expect
      .poll(
        () =>
          events()
            .slice(before)
            .filter(({ kind }) => kind === 'run.ended').length,
        { timeout: 20_000 },
      )
      .toBeGreaterThanOrEqual(2);
    expect(plane.faults).toEqual([]);
  });

  it('killed with a run alive, it leaves nothing, and the next one tells how that run ended', async () => {
    const mark = `orphan-${randomBytes(6).toString('hex')}`;
    const orphan = installation.run(['sh', '-c', 'echo started > orphan; sleep 3600', mark]);
    await expect.poll(() => fs.existsSync(path.join(world.workspace, 'orphan'))).toBe(true);
    await daemon.kill();
    expect((await orphan).status).toBe(125);
    daemon = await installation.daemon();
    await expect.poll(() => processesWith(mark), { timeout: 20_000 }).toEqual([]);
    const run = events().findLast(({ kind }) => kind === 'run.started')?.['run'];
    await expect
      .poll(() => events().filter((event) => event.kind === 'run.ended' && event['run'] === run), { timeout: 20_000 })
      .toHaveLength(1);
    expect((await installation.status()).runs).toBe(0);
    expect((await installation.sh('true')).status).toBe(0);
  });

  it('what its parent left open is nobody’s', async () => {
    await daemon.stop();
    daemon = await installation.daemon(['bash', '-c', `exec 3</ 77</etc 1000<${world.root}; exec "$@"`, 'bash']);
    const open = await installation.sh('for fd in /proc/self/fd/*; do [ -e "$fd" ] && echo "${fd##*/}"; done');
    expect(open.stdout).toBe('0\n1\n2\n');
    const { pid } = daemon.process;
    expect(fs.readdirSync(`/proc/${pid}/fd`).filter((fd) => ['77', '1000'].includes(fd))).toEqual([]);
  });

  it.each([
    [
      'a changed byte in the stored state',
      (folder: string) => {
        for (const name of fs.readdirSync(folder).filter((file) => file.startsWith('state-'))) {
          const file = path.join(folder, name);
          fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('story', 'sTory'));
        }
      },
    ],
    ['a damaged ratchet', (folder: string) => fs.writeFileSync(path.join(folder, 'ratchet.json'), '{"epoch":')],
  ])('%s: nothing launches until the control plane has sent its state, and it is told', async (_name, damage) => {
    await daemon.stop();
    damage(installation.stateDir);
    await plane.cut();
    daemon = await installation.daemon();
    const refused = await installation.sh('true');
    expect(refused.status).toBe(125);
    expect(refused.stderr).toContain('[launch.no-bundle]');
    const before = events().length;
    await plane.mend();
    plane.publish(usual);
    await expect.poll(async () => (await installation.sh('true')).status, { timeout: 60_000 }).toBe(0);
    await expect
      .poll(
        () =>
          events()
            .slice(before)
            .some(({ kind, state }) => kind === 'policy' && state === 'rejected'),
        { timeout: 20_000 },
      )
      .toBe(true);
  });

  it('stops when it is told to, also with a run alive and a control plane that hangs', async () => {
    const mark = `stopped-${randomBytes(6).toString('hex')}`;
    const living = installation.run(['sh', '-c', 'echo x > living; sleep 3600', mark]);
    await expect.poll(() => fs.existsSync(path.join(world.workspace, 'living'))).toBe(true);
    plane.hang();
    expect(await daemon.stop()).toBe(0);
    expect((await living).status).toBe(137);
    expect(processesWith(mark)).toEqual([]);
    expect(processesWith(installation.runtimeDir)).toEqual([]);
    // And while it still tries to connect.
    daemon = await installation.daemon();
    const before = plane.requests.length;
    await expect.poll(() => plane.requests.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(before);
    expect(await daemon.stop()).toBe(0);
  });
});
