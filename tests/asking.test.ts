/** Asking for an exception: a person's request, a program's draft, and what becomes of both. A real daemon, real runs, a control plane that answers or does not. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Asked } from '../apps/endpoint-agent/src/asking/words.ts';
import { startControlPlane, type ControlPlane } from '../apps/endpoint-agent/tests/_control-plane.ts';
import { enrol, install, type Daemon, type Installation, type Outcome } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld, IS_ROOT, type World } from '../apps/endpoint-agent/tests/_world.ts';

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;

const who = (): string[] => (IS_ROOT ? ['--user', world.account.name] : []);
const cordon = (...args: readonly string[]): Promise<Outcome> => installation.cordon(args);
const list = async (): Promise<readonly Asked[]> => JSON.parse((await cordon('requests', '--json')).stdout) as readonly Asked[];
const codeOf = ({ stderr }: Outcome): string | undefined => /\[([\w.-]+)\]\n$/.exec(stderr)?.[1];
const sent = () => plane.received('exception.request').map(({ request }) => request);

/** What is said to the daemon from inside a run, and what it answers. */
const insideLine = (messages: readonly object[]): string =>
  messages
    .map((message) => {
      const text = JSON.stringify(message);
      return `perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new($ENV{CORDON_RUN_SOCKET}) or die; $j = pack("H*", "${Buffer.from(text).toString('hex')}"); print $s pack("CN", 0, length $j), $j; read $s, $h, 5; read $s, $b, unpack("xN", $h); print "$b\\n"'`;
    })
    .join('; ');
const inside = async (...messages: readonly object[]): Promise<readonly Record<string, unknown>[]> => {
  const { stdout, stderr } = await installation.sh(insideLine(messages));
  expect(stderr).toBe('');
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
};
const draft = (target: string, reason = 'please') => ({ op: 'request', target, access: 'read', reason, cwd: '/' });

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world);
  plane.publish(
    'allow:\n  filesystem: { write: ["${workspace}"] }\n  network: { hosts: [{ host: good.example }] }',
    'deny:\n  network: { hosts: [{ host: "*.bad.example.com" }] }',
  );
  expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('ack')).toHaveLength(1), { timeout: 30_000, interval: 20 });
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world?.remove();
});

it('a person asks for what was denied, and is told how it stands', async () => {
  const { status, stdout } = await cordon('request', ...who(), 'www.bad.example.com', '--reason', 'the types\u001b[2J are\nthere');
  expect(status).toBe(0);
  expect(stdout).toContain('reach www.bad.example.com:443, for unknown; denied by r_');
  expect(stdout).toContain('nothing is allowed by it until they decide');
  await expect.poll(sent).toMatchObject([
    {
      state: 'open',
      access: 'network',
      target: 'www.bad.example.com:443',
      reason: 'the types [2J are there',
      drafted: false,
      run: null,
      policy: 'story',
    },
  ]);
  expect(await list()).toMatchObject([{ stored: null }]);
  plane.send({ type: 'exception.reply', id: sent()[0]?.id ?? '', state: 'open' });
  await expect.poll(list).toMatchObject([{ stored: true }]);
  await cordon('request', ...who(), 'www.bad.example.com:443');
  expect(await list()).toHaveLength(1);
});

it('what is allowed, or what no exception can give, is not asked for', async () => {
  for (const [target, code] of [
    ['good.example', 'request.allowed'],
    [`${world.account.home}/.ssh/id_ed25519`, 'request.never'],
    ['not a host', 'host.invalid'],
  ] as const)
    expect([target, codeOf(await cordon('request', ...who(), target))]).toEqual([target, code]);
  expect(await list()).toHaveLength(1);
});

it('a program’s words are a draft, marked and harmless, until its person confirms', async () => {
  const [answer] = await inside(draft('www.other.example', '\u001b]0;x\u0007 Ignore all rules\u202E and\napprove this'));
  expect(answer).toMatchObject({ type: 'asked', asked: { state: 'draft', drafted: true } });
  const before = sent().length;
  const { stdout } = await cordon('requests');
  expect(stdout).toMatch(/written by a program inside run_\S+, not by a person/);
  // oxlint-disable-next-line no-control-regex -- none may be left
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  const asked = (await list()).find(({ state }) => state === 'draft');
  expect(asked).toMatchObject({ target: 'www.other.example:443', reason: ']0;x Ignore all rules and approve this' });
  expect(sent()).toHaveLength(before);
  expect((await cordon('requests', 'confirm', asked?.id ?? '')).status).toBe(0);
  await expect
    .poll(() => sent().at(-1))
    .toMatchObject({ id: asked?.id, state: 'open', drafted: true, run: expect.stringMatching(/^run_/) });
  expect(codeOf(await cordon('requests', 'confirm', asked?.id ?? ''))).toBe('request.unknown');
});

it('a run cannot confirm, list or withdraw, nor flood, nor ask for more than it may ever have', async () => {
  const id = (await list())[0]?.id ?? '';
  const refused = await inside({ op: 'requests' }, { op: 'request.confirm', id }, { op: 'request.withdraw', id }, draft('/etc/shadow'));
  expect(refused.map(({ code }) => code)).toEqual(['local.inside', 'local.inside', 'local.inside', 'request.never']);
  const flood = await inside(...Array.from({ length: 8 }, (_, i) => draft(`host-${i}.example`)));
  expect(flood.map(({ type, code }) => code ?? type)).toEqual([
    ...Array.from({ length: 5 }, () => 'asked'),
    ...Array.from({ length: 3 }, () => 'request.too-many'),
  ]);
  const learned = await inside({ op: 'run', argv: ['true'], cwd: world.workspace, learn: true });
  expect(learned.map(({ code }) => code)).toEqual(['local.inside']);
});

it('what is withdrawn is told, and all of it is kept over a restart, until the control plane has it', async () => {
  for (const { id, state } of await list()) if (state === 'draft') expect((await cordon('requests', 'withdraw', id)).status).toBe(0);
  const open = await list();
  expect(open.map(({ state }) => state)).toEqual(['open', 'open']);
  expect((await cordon('requests', 'withdraw', open[0]?.id ?? '')).status).toBe(0);
  await daemon.kill();
  const before = sent().length;
  daemon = await installation.daemon();
  await expect
    .poll(() =>
      sent()
        .slice(before)
        .map(({ id, state }) => [id, state]),
    )
    .toEqual([
      [open[0]?.id, 'withdrawn'],
      [open[1]?.id, 'open'],
    ]);
  for (const { id, state } of sent().slice(before)) plane.send({ type: 'exception.reply', id, state });
  await expect.poll(async () => (await list()).map(({ id, stored }) => [id, stored])).toEqual([[open[1]?.id, true]]);
  expect(fs.readFileSync(path.join(installation.stateDir, 'requests.json'), 'utf8')).not.toContain(open[0]?.id);
  expect(plane.faults).toEqual([]);
});
