/** An organisation from before signers judged: its devices keep what they have, and the first proposal covers it. */
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poolConfig } from '../src/db/client.ts';
import { renewCheckpoint } from '../src/publishing/publish.ts';
import { openKeys } from '../src/signer/key-file.ts';
import { signerFiles } from '../src/signer/organisation.ts';
import { enrol, type Enrolled } from './_channel.ts';
import { createDatabase, makeStateDir, POLICY, startPlane, type TestPlane } from './_util.ts';

const SERVERS = POLICY.replace('coding-agents', 'servers').replace('api.example.com', 'server.example.com');

let test: TestPlane;
let laptop: Enrolled;
let server: Enrolled;
let policy: string;
let lateComer: Enrolled;

/** Takes away all that the earlier version did not have: approvals, the signer's memory but for its mark, what checkpoints say of both. */
const makeOld = async (stateDir: string, owner: TestPlane['owner']): Promise<void> => {
  const folder = path.join(stateDir, 'signer');
  const files = signerFiles(folder);
  const client = new pg.Client(poolConfig(owner, 1));
  await client.connect();
  await client.query('ALTER TABLE proposal_signature DISABLE TRIGGER USER; DELETE FROM proposal_signature; DELETE FROM proposal');
  const { rows } = await client.query<{ id: number; jws: string }>('SELECT id, jws FROM checkpoint ORDER BY id DESC LIMIT 1');
  const [newest] = rows;
  if (newest === undefined) throw new Error('nothing was published');
  const { standing: _standing, ...payload } = JSON.parse(Buffer.from(newest.jws.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    standing: string;
    epoch: number;
    serial: number;
  };
  const jws = await signCompact(payload, 'cordon-checkpoint+jws', openKeys(files.keys, files.passphrase).checkpoint);
  const digest = sha256Hex(Buffer.from(jws.split('.')[1] ?? '', 'base64url'));
  await client.query('UPDATE checkpoint SET jws = $2, digest = $3 WHERE id = $1', [newest.id, jws, digest]);
  await client.end();
  const kept = new Set([files.keys, files.passphrase, files.offline].map((file) => path.basename(file)));
  for (const name of fs.readdirSync(folder)) if (!kept.has(name)) fs.rmSync(path.join(folder, name), { recursive: true });
  fs.writeFileSync(files.state, JSON.stringify({ epoch: payload.epoch, serial: payload.serial }));
};

const hostsOf = ({ id }: Enrolled): string[] => {
  const { published } = test.plane.context;
  const text =
    published.bundles.get(published.cohorts.get(published.devices.get(id)?.cohort ?? '')?.digest ?? '')?.text ?? '{"policies":[]}';
  const { policies } = JSON.parse(text) as { policies: { document: { spec: { allow: { network: { hosts: { host: string }[] } } } } }[] };
  return policies.flatMap(({ document }) => document.spec.allow.network.hosts.map(({ host }) => host)).sort();
};
const waits = async ({ id }: Enrolled): Promise<boolean> =>
  (await test.admin<{ awaitingApproval: boolean }>('GET', `/devices/${id}`)).body.awaitingApproval;

beforeAll(async () => {
  const [owner, stateDir] = [await createDatabase(), makeStateDir()];
  const before = await startPlane({ owner, stateDir });
  const made = async (url: string, body: object): Promise<string> => (await before.admin<{ id: string }>('POST', url, { body })).body.id;
  policy = await made('/policies', { yaml: POLICY });
  await made('/assignments', { policyId: policy, groupId: 'grp_all-devices-000000000' });
  const group = await made('/groups', { name: 'servers' });
  await made('/assignments', { policyId: await made('/policies', { yaml: SERVERS }), groupId: group });
  [laptop, server] = [await enrol(before), await enrol(before)];
  await before.admin('PUT', `/groups/${group}/members/${server.id}`);
  expect((await before.admin('POST', '/publish', { body: {} })).status).toBe(201);
  await before.plane.close();
  await makeOld(stateDir, owner);
  test = await startPlane({ owner, stateDir, ownerToken: before.ownerToken });
});
afterAll(() => test.close());

describe('an organisation of an earlier version', () => {
  it('keeps what its devices have, and the trial finds its approver’s key', async () => {
    expect([hostsOf(laptop), hostsOf(server)]).toEqual([['api.example.com'], ['api.example.com', 'server.example.com']]);
    expect([await waits(laptop), await waits(server)]).toEqual([false, false]);
    expect(fs.existsSync(path.join(test.stateDir, 'signer/approver.key'))).toBe(true);
  });

  it('publishes what narrows, and has a device that comes wait', async () => {
    await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: POLICY.replace('api.example.com', 'other.example.com') } });
    const refused = await test.admin<{ code: string }>('POST', '/publish', { body: {}, alone: true });
    expect([refused.status, refused.body.code]).toEqual([409, 'publish.approval-required']);
    await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: POLICY } });
    expect((await test.admin('POST', '/publish', { body: {}, alone: true })).status).toBe(201);
    const late = await enrol(test);
    expect([hostsOf(late), await waits(late)]).toEqual([[], true]);
    expect([hostsOf(laptop), hostsOf(server)]).toEqual([['api.example.com'], ['api.example.com', 'server.example.com']]);
    lateComer = late;
  });

  it('is renewed although nothing was approved and a publish was lost between the signer’s word and the commit', async () => {
    await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: POLICY.replace('[{ host: api.example.com }]', '[]') } });
    const { signer } = test.plane.context;
    const original = signer.signCheckpoint;
    signer.signCheckpoint = async (request) => {
      await original.call(signer, request);
      throw new Error('the answer was lost');
    };
    expect((await test.admin('POST', '/publish', { body: {}, alone: true })).status).toBe(500);
    signer.signCheckpoint = original;
    expect(hostsOf(laptop)).toEqual(['api.example.com']);
    const before = test.plane.context.published.checkpoint?.issuedAt;
    await renewCheckpoint(test.plane.context, 0);
    expect(test.plane.context.published.checkpoint?.issuedAt).not.toEqual(before);
    // What is stored would give back what the signer has taken away: the publish is made up for.
    expect([hostsOf(laptop), hostsOf(server)]).toEqual([[], ['server.example.com']]);
    await renewCheckpoint(test.plane.context, 0);
  });

  it('has all that is in force covered by its first approval', async () => {
    await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: POLICY } });
    const late = lateComer;
    // The first approval covers what is in force, and gives it to whoever waited for it.
    expect((await test.admin('POST', '/publish', { body: {} })).status).toBe(201);
    expect([hostsOf(late), await waits(late)]).toEqual([['api.example.com'], false]);
    expect([hostsOf(laptop), hostsOf(server)]).toEqual([['api.example.com'], ['api.example.com', 'server.example.com']]);
    expect(hostsOf(await enrol(test))).toEqual(['api.example.com']);
  });
});
