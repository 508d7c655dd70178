/** The page for approvers, run as it is written: an organisation with two approvers, each with a key of their own, and the very commands. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from '../apps/control-plane/tests/_certificate.ts';
import { approverOf } from '../apps/control-plane/tests/_approver.ts';
import { connect, enrol, follow, hello, type Enrolled, type Memory, type TestChannel } from '../apps/control-plane/tests/_channel.ts';
import { POLICY, startPlane, type TestPlane } from '../apps/control-plane/tests/_util.ts';

const root = path.join(import.meta.dirname, '..');
const page = fs.readFileSync(path.join(root, 'docs/approvals.md'), 'utf8');

interface Command {
  readonly line: string;
  /** What the page says it is refused with. */
  readonly refused: string | undefined;
  /** What a person types. */
  readonly typed: string;
}
const commands = [...page.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, block = '']) =>
  block
    .trim()
    .split('\n')
    .map((line): Command => {
      const [, command = '', remark = ''] = /^(.*?)(?:\s{2,}# (.*))?$/.exec(line) ?? [];
      return { line: command, refused: /^refused: (\S+)$/.exec(remark)?.[1], typed: /^types: (\S+)$/.exec(remark)?.[1] ?? '' };
    }),
);

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
let test: TestPlane;
let device: Enrolled;
let channel: TestChannel;
let first: string;
const memory: Memory = {};

/** As a person with a shell: `cordonctl` is the command, and what the page has as a name of its own is of this run. */
const run = async ({ line, typed }: Command, known: Readonly<Record<string, string>>): Promise<Outcome> => {
  const main = path.join(root, 'apps/cordonctl/src/main.ts');
  const script = `cordonctl() { '${process.execPath}' --disable-warning=ExperimentalWarning '${main}' "$@"; }\n${Object.entries(known).reduce((said, [name, value]) => said.replaceAll(name, value), line)}`;
  const child = spawn('bash', ['--noprofile', '--norc', '-c', script], {
    cwd: path.join(folder, 'org'),
    env: {
      PATH: '/usr/bin:/bin',
      CORDON_SERVER: test.plane.adminUrl,
      CORDON_TOKEN_FILE: 'token',
      A: `${test.plane.adminUrl}/api/v1`,
      T: `Authorization: Bearer ${test.ownerToken}`,
      J: 'content-type: application/json',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(`${typed}\n`);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { status, stdout, stderr };
};
const cordonctl = (...args: readonly string[]): Promise<Outcome> =>
  run({ line: `cordonctl ${args.join(' ')}`, refused: undefined, typed: '' }, {});

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-approvals-'));
  const main = path.join(root, 'apps/cordonctl/src/main.ts');
  const founded = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      main,
      'keys',
      'init',
      '--out',
      path.join(folder, 'org'),
      '--approvers',
      '2',
      '--approver-threshold',
      '2',
    ],
    { stdio: 'ignore' },
  );
  expect(await new Promise((resolve) => founded.once('exit', resolve))).toBe(0);
  test = await startPlane({ organisation: path.join(folder, 'org/server') });
  fs.writeFileSync(path.join(folder, 'org/token'), `${test.ownerToken}\n`, { mode: 0o600 });
  const policy = (await test.admin<{ id: string }>('POST', '/policies', { body: { yaml: POLICY } })).body.id;
  await test.admin('POST', '/assignments', { body: { policyId: policy, groupId: 'grp_all-devices-000000000' } });
  await cordonctl('propose', '--title', 'Begin');
  const { body } = await test.admin<{ items: { id: string }[] }>('GET', '/proposals');
  const id = body.items[0]?.id ?? '';
  for (const n of [1, 2]) expect((await cordonctl('approve', id, '--key', `approver-${n}.key`, '--yes')).status).toBe(0);
  const begun = await cordonctl('publish', '--proposal', id);
  first = /chg_\S+(?=,)/.exec(begun.stdout)?.[0] ?? '';
  device = await enrol(test);
  channel = connect(test, device.id);
  await channel.next('welcome');
  channel.send(hello());
  await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: POLICY.replace('api.example.com', 'paste.example.com') } });
}, 120_000);
afterAll(async () => {
  channel.close();
  await test.close();
  fs.rmSync(folder, { recursive: true });
});

describe('the page about approvals', () => {
  it('has commands to run, of each kind', () => {
    expect(commands.length).toBeGreaterThanOrEqual(14);
    for (const verb of ['propose', 'proposals list', 'proposals show', 'approve', 'publish'])
      expect(commands.some(({ line }) => line.startsWith(`cordonctl ${verb}`))).toBe(true);
  });

  it('says what happens', { timeout: 120_000 }, async () => {
    await follow(test, device, channel, memory, 1);
    let proposal = '';
    let group = '';
    const said: string[] = [];
    for (const command of commands) {
      if (command.line.startsWith('export ')) continue;
      const serial = memory.ratchet?.serial ?? 0;
      const following = command.line.includes('--wait') ? follow(test, device, channel, memory, serial + 1) : undefined;
      const { status, stdout, stderr } = await run(command, { 'prp_…': proposal, 'chg_…': first, 'grp_…': group });
      await following;
      said.push(stdout);
      if (command.refused === undefined) expect([status, stderr], command.line).toEqual([0, '']);
      else expect([status, /\[(\S+)\]\n$/.exec(stderr)?.[1]], command.line).toEqual([2, command.refused]);
      if (command.line.startsWith('curl')) expect(stdout, command.line).not.toContain('urn:cordon:problem');
      proposal = command.line.startsWith('cordonctl propose ') ? (/prp_[\w-]+/.exec(stdout)?.[0] ?? '') : proposal;
      group = /"id":"(grp_[^"]+)"/.exec(stdout)?.[1] ?? group;
    }
    const all = said.join('\n');
    expect(all).toMatch(/\+ network\.host +paste\.example\.com:443/);
    expect(all).toContain('1 of 2 approvers have');
    expect(all).toContain('2 of 2 approvers have');
    expect(all).toContain('1 of 1 devices enforce it');
  });

  it('leaves a trace of every step', async () => {
    const { body } = await test.admin<{ items: { action: string }[] }>('GET', '/audit?limit=500');
    const actions = body.items.map(({ action }) => action);
    expect(actions.filter((action) => action === 'proposal.approve')).toHaveLength(4);
    expect(actions.filter((action) => action === 'changes.publish')).toHaveLength(4);
  });
});

describe('an organisation of a ceremony', () => {
  it('has no approver’s key on its server', () => {
    expect(fs.readdirSync(path.join(test.stateDir, 'signer')).filter((name) => name.includes('approver'))).toEqual([]);
    expect(() => approverOf(test.stateDir)).toThrow('ENOENT');
  });

  it('does not take the word of one approver of two for both, nor no word at all', async () => {
    const policy = (await test.admin<{ items: { id: string }[] }>('GET', '/policies')).body.items[0]?.id ?? '';
    await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: POLICY.replace('api.example.com', 'third.example.com') } });
    await cordonctl('propose', '--title', 'Third');
    const id = (await test.admin<{ items: { id: string }[] }>('GET', '/proposals')).body.items[0]?.id ?? '';
    const approve = (typed: string): Promise<Outcome> =>
      run({ line: `cordonctl approve ${id} --key approver-1.key`, refused: undefined, typed }, {});
    expect((await approve('no')).stdout).toContain('not signed');
    expect(await test.admin('GET', `/proposals/${id}`)).toMatchObject({ body: { signatures: [] } });
    for (let i = 0; i < 2; i += 1) expect((await approve('yes')).stdout).toContain('1 of 2 approvers have');
    expect((await cordonctl('publish', '--proposal', id)).stderr).toContain('[proposal.unsigned]');
    // Whoever has the database counts as many as they like: the signer counts keys itself.
    const [own, earlier] = (await test.admin<{ items: { signatures: { kid: string }[] }[] }>('GET', '/proposals')).body.items;
    const kids = [earlier, own].map((one) => one?.signatures.map(({ kid }) => kid) ?? []);
    const other = kids[0]?.find((kid) => !kids[1]?.includes(kid));
    await test.plane.context.pool.query(
      `INSERT INTO proposal_signature (proposal_id, kid, protected, signature, added_by)
       SELECT proposal_id, $2, protected, signature, added_by FROM proposal_signature WHERE proposal_id = $1`,
      [id, other],
    );
    const forged = await test.admin<{ code: string }>('POST', '/publish', { body: { proposal: id }, alone: true });
    expect([forged.status, forged.body.code]).toEqual([409, 'approval.threshold']);
  });
});

describe('cordonctl over TLS', () => {
  it('believes a server that the given authority vouches for, and no other', async () => {
    const { cert, key } = selfSigned();
    const server = https.createServer({ cert, key }, (_request, response) => response.end('{"items":[],"next":null}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    fs.writeFileSync(path.join(folder, 'org/ca.pem'), cert);
    expect(await cordonctl('proposals', 'list', '--server', url, '--ca', 'ca.pem')).toMatchObject({
      status: 0,
      stdout: 'there are no proposals\n',
    });
    const refused = await cordonctl('proposals', 'list', '--server', url);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('[server.certificate]') as string]);
    fs.writeFileSync(path.join(folder, 'org/other.pem'), selfSigned().cert);
    expect((await cordonctl('proposals', 'list', '--server', url, '--ca', 'other.pem')).stderr).toContain('[server.certificate]');
  });
});
