/** What gives agents more needs people; what takes away does not. Over the public API, with a real database and signer. */
import { signApproval } from '@cordon/policy/approval/signed-approval.ts';
import type { ApprovalPayload } from '@cordon/policy/approval/approval.ts';
import type { BundleContent } from '@cordon/policy/effective.ts';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { poolConfig } from '../src/db/client.ts';
import { renewCheckpoint } from '../src/publishing/publish.ts';
import { approverOf, signProposal } from './_approver.ts';
import { connect, enrol, follow, hello, type Memory } from './_channel.ts';
import { newKey, POLICY, startPlane, type Answer, type TestPlane } from './_util.ts';

const DAY_MS = 86_400_000;
const EVERYONE = 'grp_all-devices-000000000';

interface Proposal {
  readonly id: string;
  readonly payload: string;
  readonly code: string;
  readonly state: string;
  readonly signatures: readonly object[];
  readonly threshold: number;
  readonly devices: number;
  readonly changes: readonly { readonly verdict: string; readonly example: { readonly gained: readonly { readonly target: string }[] } }[];
}
interface Published {
  readonly changeSet: string;
  readonly serial: number;
  readonly code: string;
  readonly detail: string;
}

let test: TestPlane;
/** Added to the service's clock; the signer has its own. */
let shift: number;
let policy: string;
beforeEach(async () => {
  shift = 0;
  test = await startPlane({ clock: () => new Date(Date.now() + shift) });
  policy = await made('/policies', { yaml: POLICY });
});
afterEach(() => test.close());

const made = async (url: string, body: object): Promise<string> => (await test.admin<{ id: string }>('POST', url, { body })).body.id;
const assign = (policyId: string, groupId: string, mode = 'include'): Promise<string> => made('/assignments', { policyId, groupId, mode });
const hosts = (...names: readonly string[]): string =>
  POLICY.replace('[{ host: api.example.com }]', `[${names.map((host) => `{ host: ${host} }`).join(', ')}]`);
const revise = async (...names: readonly string[]): Promise<void> => {
  expect((await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: hosts(...names) } })).status).toBeLessThan(300);
};
/** Nobody approves anything here. */
const publishAlone = (body: object = {}): Promise<Answer<Published>> => test.admin<Published>('POST', '/publish', { body, alone: true });
const propose = async (body: object = {}): Promise<Proposal> =>
  (await test.admin<Proposal>('POST', '/proposals', { body: { title: 'Story', ...body } })).body;
const post = async (path: string, body: object): Promise<Answer<Proposal>> => test.admin<Proposal>('POST', path, { body, alone: true });
const sign = (proposal: Proposal, key = approverOf(test.stateDir)): Promise<Answer<Proposal>> =>
  signProposal(proposal, [key], post) as Promise<Answer<Proposal>>;
const refusal = ({ status, body }: Answer<{ readonly code: string }>): [number, string] => [status, body.code];
const publishApproved = async (body: object = {}): Promise<Published> => {
  const proposal = await propose(body);
  expect((await sign(proposal)).status).toBe(200);
  const answer = await publishAlone({ proposal: proposal.id });
  expect(answer.status, answer.body.detail).toBe(201);
  return answer.body;
};
const contentOf = (device: string): BundleContent | undefined => {
  const { published } = test.plane.context;
  const cohort = published.cohorts.get(published.devices.get(device)?.cohort ?? '');
  const text = cohort && published.bundles.get(cohort.digest)?.text;
  return text === undefined ? undefined : (JSON.parse(text) as BundleContent);
};
/** Hosts that the device's bundle allows. */
const hostsOf = (device: string): string[] =>
  (contentOf(device)?.policies ?? []).flatMap(({ document }) => document.spec.allow?.network?.hosts?.map(({ host }) => host) ?? []).sort();
const waits = async (device: string): Promise<[boolean, string | null]> => {
  const { body } = await test.admin<{ awaitingApproval: boolean; awaitingReason: string | null }>('GET', `/devices/${device}`);
  return [body.awaitingApproval, body.awaitingReason];
};

describe('a change that', () => {
  let device: string;
  beforeEach(async () => {
    await assign(policy, EVERYONE);
    await revise('api.example.com', 'more.example.com');
    await publishApproved();
    device = (await enrol(test)).id;
    expect(hostsOf(device)).toEqual(['api.example.com', 'more.example.com']);
  });

  it('only takes away needs nobody', async () => {
    await revise('api.example.com');
    expect((await publishAlone()).status).toBe(201);
    expect(hostsOf(device)).toEqual(['api.example.com']);
    // Back to what was approved: that was approved already.
    const { body } = await test.admin<{ items: { id: string }[] }>('GET', '/change-sets');
    expect((await publishAlone({ changeSet: body.items[1]?.id })).status).toBe(201);
    expect(hostsOf(device)).toEqual(['api.example.com', 'more.example.com']);
  });

  it('gives more is refused whole, says who would gain what, and is published when it was approved', async () => {
    const enrolled = await enrol(test);
    const channel = connect(test, enrolled.id);
    await channel.next('welcome');
    channel.send(hello());
    const memory: Memory = {};
    const { serial } = await follow(test, enrolled, channel, memory, 1);
    const before = await test.admin<{ items: { id: string }[] }>('GET', '/change-sets');

    await revise('api.example.com', 'more.example.com', 'paste.example.com');
    const refused = await publishAlone({ title: 'Paste' });
    expect(refusal(refused)).toEqual([409, 'publish.approval-required']);
    expect(refused.body.detail).toMatch(/2 devices.*paste\.example\.com.*POST \/proposals/);
    expect((await test.admin('GET', '/change-sets')).body).toEqual(before.body);
    expect(hostsOf(device)).toEqual(['api.example.com', 'more.example.com']);

    const proposal = await propose();
    expect(proposal).toMatchObject({ state: 'open', threshold: 1, signatures: [], devices: 2, changes: [{ verdict: 'no' }] });
    expect(proposal.changes[0]?.example.gained.map(({ target }) => target).join()).toContain('paste.example.com');
    expect(refusal(await publishAlone({ proposal: proposal.id }))).toEqual([409, 'proposal.unsigned']);
    expect((await sign(proposal)).body).toMatchObject({ signatures: [{}], state: 'open' });
    const published = await publishAlone({ proposal: proposal.id });
    expect(published.status).toBe(201);
    const state = await follow(test, enrolled, channel, memory, serial + 1);
    expect(JSON.stringify(state.content)).toContain('paste.example.com');
    expect(hostsOf(device)).toContain('paste.example.com');
    expect((await test.admin<Proposal>('GET', `/proposals/${proposal.id}`)).body.state).toBe('published');
    expect(refusal(await publishAlone({ proposal: proposal.id }))).toEqual([409, 'proposal.published']);
    channel.close();
  });

  it('was proposed is published as it was then, whatever the draft says now', async () => {
    await revise('api.example.com', 'first.example.com');
    const proposal = await propose();
    await sign(proposal);
    await revise('api.example.com', 'second.example.com');
    expect((await publishAlone({ proposal: proposal.id })).status).toBe(201);
    expect(hostsOf(device)).toEqual(['api.example.com', 'first.example.com']);
  });

  it('was proposed before something else was published is nothing that anybody meant', async () => {
    await revise('api.example.com', 'late.example.com');
    const [late, signed] = [await propose(), await propose()];
    await sign(signed);
    await revise('api.example.com');
    expect((await publishAlone()).status).toBe(201);
    expect(refusal(await sign(late))).toEqual([409, 'proposal.superseded']);
    expect(refusal(await publishAlone({ proposal: signed.id }))).toEqual([409, 'proposal.superseded']);
    expect(hostsOf(device)).toEqual(['api.example.com']);
    const listed = await test.admin<{ items: Proposal[] }>('GET', '/proposals');
    expect(listed.body.items.map(({ state }) => state)).toEqual(['superseded', 'superseded', 'published']);
  });

  it('nobody published in time has to be proposed again', async () => {
    await revise('api.example.com', 'slow.example.com');
    const [unsigned, signed] = [await propose(), await propose()];
    await sign(signed);
    shift = 8 * DAY_MS;
    expect((await test.admin<Proposal>('GET', `/proposals/${signed.id}`)).body.state).toBe('expired');
    expect(refusal(await sign(unsigned))).toEqual([409, 'proposal.expired']);
    expect(refusal(await publishAlone({ proposal: signed.id }))).toEqual([409, 'proposal.expired']);
    // A service whose clock stands still does not deceive the signer, which has its own.
    shift = -8 * DAY_MS;
    await revise('api.example.com', 'slower.example.com');
    const old = await propose();
    await sign(old);
    expect(refusal(await publishAlone({ proposal: old.id }))).toEqual([409, 'proposal.expired']);
    expect(hostsOf(device)).toEqual(['api.example.com', 'more.example.com']);
  });

  it('is approved by a signature over exactly it, by an approver of the root, each once', async () => {
    await revise('api.example.com', 'new.example.com');
    const [proposal, other] = [await propose(), await propose({ wayBack: '7d' })];
    const key = approverOf(test.stateDir);
    const send = (jws: string): Promise<Answer<Proposal>> => post(`/proposals/${proposal.id}/signatures`, { jws });
    expect(refusal(await send(await signApproval(JSON.parse(other.payload) as ApprovalPayload, [key])))).toEqual([
      422,
      'proposal.other-payload',
    ]);
    expect(refusal(await sign(proposal, newKey()))).toEqual([422, 'proposal.unknown-approver']);
    const good = JSON.parse(await signApproval(JSON.parse(proposal.payload) as ApprovalPayload, [key])) as {
      signatures: { signature: string }[];
    };
    const spoiled = {
      ...good,
      signatures: good.signatures.map((one) => ({ ...one, signature: Buffer.alloc(64, 1).toString('base64url') })),
    };
    expect((await send(JSON.stringify(spoiled))).body.code).toBe('jws.signature');
    expect((await test.admin<Proposal>('GET', `/proposals/${proposal.id}`)).body.signatures).toEqual([]);
    expect(refusal(await publishAlone({ proposal: proposal.id }))).toEqual([409, 'proposal.unsigned']);
    for (let i = 0; i < 2; i += 1) expect((await sign(proposal)).body.signatures).toHaveLength(1);
    const { body } = await test.admin<{ items: { action: string; subject: string }[] }>('GET', `/audit?subject=${proposal.id}`);
    expect(body.items.map(({ action }) => action)).toEqual(['proposal.approve', 'proposal.create']);
  });

  it('was approved with a way back is taken back within its time by anybody who may publish, and after it not', async () => {
    const first = (await test.admin<{ items: { id: string }[] }>('GET', '/change-sets')).body.items[0]?.id ?? '';
    await revise('other.example.com');
    await publishApproved({ wayBack: '2d' });
    expect(hostsOf(device)).toEqual(['other.example.com']);
    expect((await publishAlone({ changeSet: first, title: 'Back' })).status).toBe(201);
    expect(hostsOf(device)).toEqual(['api.example.com', 'more.example.com']);
    // And forth again: the draft is what was approved last.
    expect((await publishAlone()).status).toBe(201);

    // Proposed three days ago, with a way back that was open for one.
    shift = -3 * DAY_MS;
    await revise('third.example.com');
    const late = await propose({ wayBack: '1d' });
    await sign(late);
    shift = 0;
    expect((await publishAlone({ proposal: late.id })).status).toBe(201);
    expect(refusal(await publishAlone({ changeSet: first }))).toEqual([409, 'publish.approval-required']);
    expect(hostsOf(device)).toEqual(['third.example.com']);
  });
});

describe('a device', () => {
  const OPEN = POLICY.replace('coding-agents', 'servers').replace('api.example.com', 'server.example.com');

  it('that is put into a listed group waits for an approval, has what was approved meanwhile, and keeps nobody else from anything', async () => {
    const group = await made('/groups', { name: 'servers' });
    await assign(policy, EVERYONE);
    await assign(await made('/policies', { yaml: OPEN }), group);
    await revise('api.example.com', 'more.example.com');
    const [listed, other] = [(await enrol(test)).id, (await enrol(test)).id];
    await test.admin('PUT', `/groups/${group}/members/${listed}`);
    await publishApproved();
    expect(hostsOf(listed)).toEqual(['api.example.com', 'more.example.com', 'server.example.com']);
    expect(hostsOf(other)).toEqual(['api.example.com', 'more.example.com']);

    await test.admin('PUT', `/groups/${group}/members/${other}`);
    expect(await waits(other)).toEqual([true, expect.stringContaining('server.example.com') as string]);
    expect(await waits(listed)).toEqual([false, null]);
    expect(hostsOf(other)).toEqual(['api.example.com', 'more.example.com']);
    const waiting = await test.admin<{ items: { id: string }[] }>('GET', '/devices?filter=awaitingApproval%3Dtrue');
    expect(waiting.body.items.map(({ id }) => id)).toEqual([other]);

    // A device without a place of its own: the renewal goes on, and so does what narrows.
    await renewCheckpoint(test.plane.context, 0);
    await revise('api.example.com');
    expect((await publishAlone()).status).toBe(201);
    expect([hostsOf(listed), hostsOf(other)]).toEqual([['api.example.com', 'server.example.com'], ['api.example.com']]);
    expect((await waits(other))[0]).toBe(true);

    await publishApproved();
    expect(hostsOf(other)).toEqual(['api.example.com', 'server.example.com']);
    expect(await waits(other)).toEqual([false, null]);
  });

  it('that is put into a group by which it loses something loses it at once', async () => {
    const group = await made('/groups', { name: 'quarantine' });
    await assign(policy, EVERYONE);
    await assign(policy, group, 'exclude');
    const device = (await enrol(test)).id;
    await publishApproved();
    expect(hostsOf(device)).toEqual(['api.example.com']);
    await test.admin('PUT', `/groups/${group}/members/${device}`);
    expect([hostsOf(device), await waits(device)]).toEqual([[], [false, null]]);
    // Whoever takes it out again gives it back what was approved for it.
    await test.admin('DELETE', `/groups/${group}/members/${device}`);
    expect([hostsOf(device), await waits(device)]).toEqual([['api.example.com'], [false, null]]);
  });

  it('that comes before anything was approved launches nothing, and one that comes by an open group gets what that gets', async () => {
    await assign(policy, EVERYONE);
    // Nobody is there yet who could gain anything.
    expect((await publishAlone()).status).toBe(201);
    const early = (await enrol(test)).id;
    expect(hostsOf(early)).toEqual([]);
    expect((await waits(early))[0]).toBe(true);
    const group = await made('/groups', { name: 'laptops', membership: 'open' });
    await assign(await made('/policies', { yaml: OPEN }), group);
    await publishApproved();
    expect(await waits(early)).toEqual([false, null]);
    expect(hostsOf((await enrol(test, group)).id)).toEqual(['api.example.com', 'server.example.com']);
  });

  it('is put by no token into a group whose members are approved one by one', async () => {
    const group = await made('/groups', { name: 'servers' });
    const token = (): Promise<Answer<{ code: string }>> =>
      test.admin<{ code: string }>('POST', '/enrollment-tokens', { body: { name: 'x', groupId: group } });
    expect(refusal(await token())).toEqual([409, 'enrollment.group-listed']);
    const change = (membership: string): Promise<Answer<{ code: string }>> =>
      test.admin<{ code: string }>('PATCH', `/groups/${group}`, { body: { membership }, headers: { 'if-match': '*' } });
    expect((await change('open')).status).toBe(200);
    expect((await token()).status).toBe(201);
    expect(refusal(await change('listed'))).toEqual([409, 'group.in-use']);
  });
});

describe('a database that goes between the signer’s word and the commit', () => {
  /** Ends every connection to the test's database. */
  const cut = async (): Promise<void> => {
    const client = new pg.Client(poolConfig(inject('database').superuser, 1));
    await client.connect();
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [test.owner.database]);
    await client.end();
  };

  it('leaves the proposal open, and the next renewal publishes it: the signer has walked it', async () => {
    await assign(policy, EVERYONE);
    await publishApproved();
    const device = (await enrol(test)).id;
    await revise('lost.example.com');
    const proposal = await propose();
    await sign(proposal);
    const { signer } = test.plane.context;
    const original = signer.signCheckpoint;
    signer.signCheckpoint = async (request) => {
      const jws = await original.call(signer, request);
      await cut();
      return jws;
    };
    const lost = await publishAlone({ proposal: proposal.id });
    signer.signCheckpoint = original;
    expect(lost.status).toBeGreaterThanOrEqual(500);
    const stateNow = async (): Promise<string> => (await test.admin<Proposal>('GET', `/proposals/${proposal.id}`)).body.state;
    await expect.poll(stateNow, { timeout: 10_000 }).toBe('open');

    await renewCheckpoint(test.plane.context, 0);
    expect(await stateNow()).toBe('published');
    expect(hostsOf(device)).toEqual(['lost.example.com']);
    const { body } = await test.admin<{ items: { actor: string; action: string }[] }>('GET', '/audit?action=changes.publish&limit=1');
    expect(body.items[0]).toMatchObject({ actor: 'system' });
    // And people go on from there.
    await revise('next.example.com');
    await publishApproved();
    expect(hostsOf(device)).toEqual(['next.example.com']);
  });

  it('does so before whatever is published next', async () => {
    await assign(policy, EVERYONE);
    await publishApproved();
    const device = (await enrol(test)).id;
    await revise('lost.example.com', 'second.example.com');
    const proposal = await propose();
    await sign(proposal);
    const { signer } = test.plane.context;
    const original = signer.signCheckpoint;
    signer.signCheckpoint = async (request) => {
      const jws = await original.call(signer, request);
      await cut();
      return jws;
    };
    expect((await publishAlone({ proposal: proposal.id })).status).toBeGreaterThanOrEqual(500);
    signer.signCheckpoint = original;
    await expect.poll(async () => (await test.admin('GET', '/proposals')).status, { timeout: 10_000 }).toBe(200);
    await revise('second.example.com');
    expect((await publishAlone()).status).toBe(201);
    expect(hostsOf(device)).toEqual(['second.example.com']);
    const { body } = await test.admin<{ items: { state: string }[] }>('GET', '/proposals?limit=1');
    expect(body.items[0]?.state).toBe('published');
  });
});
