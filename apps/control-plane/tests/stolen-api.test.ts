/**
 * An SQL shell on the database as its owner, and a stolen API process: whoever has both talks to the signer's socket as the service does, with whatever
 * requests, and may write every row. No device gets anything beyond what an approved target allows.
 */
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import pg from 'pg';
import { membersDigest, targetDigest, type ApprovalPayload, type Target } from '@cordon/policy/approval/approval.ts';
import { signApproval } from '@cordon/policy/approval/signed-approval.ts';
import type { AppliedPolicy, BundleContent } from '@cordon/policy/effective.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { bundleBytes, documentDigest, manifestFor } from '@cordon/policy/trust/bundle.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { CHECKPOINT_LIFETIME_MS, type CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { firstRoot, nextRoot, signRoot } from '@cordon/policy/trust/founding.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import type { RootDocument } from '@cordon/policy/trust/root.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poolConfig } from '../src/db/client.ts';
import { placeDevices, publish, renewCheckpoint } from '../src/publishing/publish.ts';
import type { ApprovalToWalk, CheckpointRequest, SignerHead, StandingMark } from '../src/signer/contract.ts';
import { Leaves, type Cohort, type Member } from '../src/signer/leaves.ts';
import { signerFiles } from '../src/signer/organisation.ts';
import { standingDigest } from '../src/signer/standing.ts';
import { approverOf } from './_approver.ts';
import { connect, enrol, hello, verify, type Enrolled } from './_channel.ts';
import { newKey, startPlane, type TestPlane } from './_util.ts';

const yaml = (name: string, spec: string): string =>
  `apiVersion: cordon/v1\nkind: ContainmentPolicy\nmetadata: { name: ${name} }\nspec:\n  ${spec}\n`;
const EVIL = 'evil.example.com';
const allowing = (name: string, host: string): PolicyDocument => ({
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name },
  spec: { allow: { network: { hosts: [{ host }] } } },
});

let test: TestPlane;
let sql: pg.Client;
let approver: KeyPair;
let guest: Enrolled;
let trusted: Enrolled;
const ids = { work: '', guard: '', loose: '', group: '' };

interface Reply {
  readonly result?: unknown;
  readonly code?: string;
}
/** As the API process does: one line, one answer. */
const raw = async (op: string, request: unknown): Promise<Reply> => {
  const socket = net.connect(signerFiles(path.join(test.stateDir, 'signer')).socket);
  await once(socket, 'connect');
  socket.write(`${JSON.stringify({ id: 1, op, request })}\n`);
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    text += chunk as string;
    if (text.includes('\n')) break;
  }
  socket.destroy();
  return JSON.parse(text) as Reply;
};
const head = async (): Promise<SignerHead> => (await raw('head', {})).result as SignerHead;

interface World {
  readonly members: Member[];
  readonly cohorts: Cohort[];
}
/** What is in force: the attacker knows all of it. */
const world = (): World => {
  const { published } = test.plane.context;
  const members: Member[] = [];
  for (const [device, { index, cohort }] of published.devices)
    members[index] = cohort === undefined ? { device: '', cohort: '' } : { device, cohort };
  return { members, cohorts: [...published.cohorts.values()].map(({ id, digest, serial }) => ({ id, digest, serial })) };
};
const cohortOf = (device: Enrolled): string => test.plane.context.published.devices.get(device.id)?.cohort ?? '';
const textOf = (device: Enrolled): string => {
  const { published } = test.plane.context;
  return published.bundles.get(published.cohorts.get(cohortOf(device))?.digest ?? '')?.text ?? '';
};
const contentOf = (device: Enrolled): BundleContent => JSON.parse(textOf(device)) as BundleContent;
const withPolicies = (device: Enrolled, change: (policies: readonly AppliedPolicy[]) => readonly AppliedPolicy[]): string => {
  const content = contentOf(device);
  return bundleBytes({ ...content, policies: change(content.policies) });
};

interface Attack {
  readonly state?: World;
  readonly serial?: number;
  readonly bundles?: readonly string[];
  readonly approvals?: readonly ApprovalToWalk[];
  readonly claims?: CheckpointRequest['claims'];
  readonly payload?: Partial<CheckpointPayload>;
  readonly standing?: StandingMark;
}
/** A request that is right in every part but for what is attacked. */
const request = async ({
  state = world(),
  serial,
  bundles = [],
  approvals = [],
  claims = {},
  payload = {},
  standing,
}: Attack): Promise<CheckpointRequest> => {
  const stands = await head();
  const org = test.plane.context.organisation.orgId;
  const leaves = new Leaves(org);
  leaves.commit({ whole: true, altered: true, members: new Map(state.members.entries()), cohorts: new Map(state.cohorts.entries()) });
  leaves.rebuild();
  const now = new Date();
  return {
    payload: {
      format: 'cordon-checkpoint/1',
      org,
      epoch: 0,
      serial: serial ?? stands.serial + 1,
      number: 9000,
      issuedAt: now.toISOString(),
      expiresAt: new Date(now.getTime() + CHECKPOINT_LIFETIME_MS).toISOString(),
      audit: { seq: 1, head: 'a'.repeat(64) },
      ...leaves.roots,
      previous: null,
      skip: null,
      standing: standingDigest(standing ?? { approved: stands.approved, before: stands.before }),
      ...payload,
    },
    base: null,
    members: state.members.map(({ device, cohort }, i) => [i, device, cohort]),
    cohorts: state.cohorts.map(({ id, digest, serial: since }, i) => [i, id, digest, since]),
    claims,
    bundles: [textOf(guest), textOf(trusted), ...bundles],
    approvals: [...approvals],
  };
};
/** What comes of it; and nothing of it may be left behind when it is refused. */
const attempt = async (attack: Attack, change: Partial<CheckpointRequest> = {}): Promise<string> => {
  const before = await head();
  const reply = await raw('checkpoint', { ...(await request(attack)), ...change });
  if (reply.code !== undefined) expect(await head()).toEqual(before);
  return reply.code ?? 'signed';
};
/** The same fleet, but this device's cohort gets this bundle. */
const given = (device: Enrolled, text: string, state = world(), serial = 1): World => ({
  ...state,
  cohorts: state.cohorts.map((cohort) =>
    cohort.id === cohortOf(device) ? { ...cohort, digest: sha256Hex(text), serial: Math.max(serial, cohort.serial) } : cohort,
  ),
});
const giving = (device: Enrolled, text: string): Attack => ({ state: given(device, text), bundles: [text] });
const moved = (device: Enrolled, cohort: string): World => {
  const { members, cohorts } = world();
  return { cohorts, members: members.map((member) => (member.device === device.id ? { ...member, cohort } : member)) };
};

/** What a device gets when it connects now. */
const gets = async (device: Enrolled): Promise<VerifiedState> => {
  const channel = connect(test, device.id);
  await channel.next('welcome');
  channel.send(hello());
  const state = await verify(test, device, await channel.next('state'), await channel.next('membership'));
  channel.close();
  await channel.closed;
  return state;
};
const hostsOf = ({ content }: VerifiedState): string[] =>
  content.policies.flatMap(({ document }) => (document.spec.allow?.network?.hosts ?? []).map(({ host }) => host)).sort();
const make = async (url: string, body: object): Promise<string> => {
  const answer = await test.admin<{ id: string }>('POST', url, { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body.id;
};
const approvedBy = async (
  key: KeyPair,
  target: Target,
  lists: ApprovalToWalk['lists'],
  change: Partial<ApprovalPayload> = {},
): Promise<ApprovalToWalk> => {
  const payload: ApprovalPayload = {
    format: 'cordon-approval/1',
    org: test.plane.context.organisation.orgId,
    epoch: 0,
    from: (await head()).approved,
    to: targetDigest(target),
    issuedAt: new Date().toISOString(),
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    wayBackUntil: null,
    ...change,
  };
  return { jws: await signApproval(payload, [key]), target, lists, documents: [] };
};
/** The newest approval as the database has it. */
const stored = async (): Promise<ApprovalToWalk> => {
  const { rows } = await sql.query<{
    payload: string;
    target: Target;
    lists: Record<string, string[]>;
    protected: string;
    signature: string;
  }>(
    `SELECT p.payload, p.target, p.lists, s.protected, s.signature FROM proposal p JOIN proposal_signature s ON s.proposal_id = p.id
     WHERE p.state = 'published' ORDER BY p.serial DESC LIMIT 1`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('nothing was approved');
  const jws = JSON.stringify({
    payload: Buffer.from(row.payload).toString('base64url'),
    signatures: [{ protected: row.protected, signature: row.signature }],
  });
  return { jws, target: row.target, lists: row.lists, documents: [] };
};

beforeAll(async () => {
  test = await startPlane();
  sql = new pg.Client(poolConfig(test.owner, 1));
  await sql.connect();
  approver = approverOf(test.stateDir);
  ids.group = await make('/groups', { name: 'trusted' });
  guest = await enrol(test);
  trusted = await enrol(test);
  expect((await test.admin('PUT', `/groups/${ids.group}/members/${trusted.id}`)).status).toBe(204);
  ids.work = await make('/policies', {
    yaml: yaml('work', 'allow: { network: { hosts: [{ host: api.example.com }, { host: "*.example.com" }] } }'),
  });
  ids.guard = await make('/policies', { yaml: yaml('guard', `deny: { network: { hosts: [{ host: ${EVIL} }] } }`) });
  ids.loose = await make('/policies', { yaml: yaml('loose', 'allow: { network: { hosts: [{ host: loose.example.org }] } }') });
  const everyone =
    (await test.admin<{ items: { id: string; kind: string }[] }>('GET', '/groups')).body.items.find(({ kind }) => kind === 'all')?.id ?? '';
  await make('/assignments', { policyId: ids.work, groupId: everyone });
  await make('/assignments', { policyId: ids.guard, groupId: everyone });
  await make('/assignments', { policyId: ids.loose, groupId: ids.group });
  expect((await test.admin('POST', '/publish', { body: { title: 'As it was approved' } })).status).toBe(201);
  expect(hostsOf(await gets(guest))).toEqual(['*.example.com', 'api.example.com']);
  expect(hostsOf(await gets(trusted))).toEqual(['*.example.com', 'api.example.com', 'loose.example.org']);
});
afterAll(async () => {
  await sql.end();
  await test.close();
});

describe('the SQL shell', () => {
  const APPROVED = ['*.example.com', 'api.example.com'];
  /** Whatever the service does by itself with what it finds, also after it has forgotten everything. */
  const stir = async (): Promise<string[]> => {
    const { context } = test.plane;
    const outcome = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => 'done',
        (error: unknown) => (error as { code?: string }).code ?? String(error),
      );
    context.published.invalidate();
    context.published.approved = undefined;
    return [
      await outcome(placeDevices(context, [guest.id])),
      await outcome(renewCheckpoint(context, 0)),
      await outcome(publish(context, { title: 'by hand', actor: 'nobody' })),
    ];
  };
  /** The guest gets what was approved for it, and no more, now and when all is as it was. */
  const holds = async (change: () => Promise<unknown>, undo: () => Promise<unknown>): Promise<string[]> => {
    await change();
    const outcomes = await stir();
    const got = await gets(guest);
    expect(APPROVED).toEqual(expect.arrayContaining(hostsOf(got)));
    expect(got.content.policies.map(({ policy }) => policy)).toContain(ids.guard);
    await undo();
    expect((await stir()).slice(0, 2)).toEqual(['done', 'done']);
    expect(hostsOf(await gets(guest))).toEqual(APPROVED);
    return outcomes;
  };

  it('puts a device into a listed group: it waits for an approval, and gets nothing of that group', async () => {
    const outcomes = await holds(
      async () => {
        await sql.query('INSERT INTO group_member (group_id, device_id) VALUES ($1, $2)', [ids.group, guest.id]);
        await placeDevices(test.plane.context, [guest.id]);
        const { rows } = await sql.query<{ awaiting: string | null }>('SELECT awaiting FROM device WHERE id = $1', [guest.id]);
        expect(rows[0]?.awaiting).toContain('loose.example.org');
      },
      () => sql.query('DELETE FROM group_member WHERE device_id = $1', [guest.id]),
    );
    expect(outcomes).toEqual(['done', 'done', 'done']);
  });

  it('puts it into the cohort of another: the trees are not those that were signed, and the signer judges', async () => {
    const { rows } = await sql.query<{ cohort_id: string }>('SELECT cohort_id FROM device WHERE id = $1', [guest.id]);
    await holds(
      () => sql.query('UPDATE device SET cohort_id = (SELECT cohort_id FROM device WHERE id = $1) WHERE id = $2', [trusted.id, guest.id]),
      () => sql.query('UPDATE device SET cohort_id = $1 WHERE id = $2', [rows[0]?.cohort_id, guest.id]),
    );
  });

  it('writes a revision and puts it into what was published: it is not signed', async () => {
    const evil = allowing('work', '*');
    const put = (revision: number): Promise<unknown> =>
      sql.query(
        `UPDATE change_set SET content = jsonb_set(content, '{policies}', (SELECT jsonb_agg(CASE WHEN p->>'id' = $1 THEN p || jsonb_build_object('revision', $2::int) ELSE p END) FROM jsonb_array_elements(content->'policies') p))`,
        [ids.work, revision],
      );
    const outcomes = await holds(
      async () => {
        await sql.query(
          `INSERT INTO policy_revision (policy_id, revision, document, digest, source, created_by) VALUES ($1, 99, $2, $3, 'x', 'x')`,
          [ids.work, JSON.stringify(evil), documentDigest(evil)],
        );
        await put(99);
      },
      async () => {
        await put(1);
        await sql.query('ALTER TABLE policy_revision DISABLE TRIGGER USER');
        await sql.query('DELETE FROM policy_revision WHERE revision = 99');
        await sql.query('ALTER TABLE policy_revision ENABLE TRIGGER USER');
      },
    );
    // What is in force is renewed, without it: nobody grows stale by what a hand wrote.
    expect(outcomes.slice(1)).toEqual(['done', 'publish.approval-required']);
  });

  it('drops the exclusion, the assignment that denies, or an approver’s list: nothing of it is signed', async () => {
    const { rows } = await sql.query<{ content: object; lists: object; target: object }>(
      `SELECT c.content, p.lists, p.target FROM change_set c, proposal p WHERE p.state = 'published' ORDER BY c.serial DESC, p.serial DESC LIMIT 1`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('nothing was published');
    const restore = async (): Promise<void> => {
      await sql.query('UPDATE change_set SET content = $1', [JSON.stringify(row.content)]);
      await sql.query(`UPDATE proposal SET lists = $1, target = $2 WHERE state = 'published'`, [
        JSON.stringify(row.lists),
        JSON.stringify(row.target),
      ]);
    };
    await holds(
      () =>
        sql.query(
          `UPDATE change_set SET content = jsonb_set(content, '{assignments}', (SELECT jsonb_agg(a) FROM jsonb_array_elements(content->'assignments') a WHERE a->>'policyId' <> $1))`,
          [ids.guard],
        ),
      restore,
    );
    await holds(
      () => sql.query(`UPDATE proposal SET lists = jsonb_set(lists, ARRAY[$1], to_jsonb($2::text[]))`, [ids.group, [guest.id, trusted.id]]),
      restore,
    );
  });

  it('writes another text under the digest of a bundle: no device takes it', async () => {
    const { digest } = await gets(guest);
    const { rows } = await sql.query<{ bytes: Buffer }>('SELECT bytes FROM bundle WHERE digest = $1', [digest]);
    const text = rows[0]?.bytes.toString('utf8').replace('api.example.com', 'new.example.org') ?? '';
    await sql.query('UPDATE bundle SET bytes = $1 WHERE digest = $2', [Buffer.from(text), digest]);
    const { published } = test.plane.context;
    published.bundles.clear();
    await stir();
    await expect(gets(guest)).rejects.toMatchObject({ code: 'bundle.digest' });
    await sql.query('UPDATE bundle SET bytes = $1 WHERE digest = $2', [rows[0]?.bytes, digest]);
    published.bundles.clear();
    await stir();
    expect(hostsOf(await gets(guest))).toEqual(APPROVED);
  });
});

describe('the stolen API process', () => {
  it('gets a request signed that changes nothing: so the attacks below fail for what they ask, and not for how', async () => {
    expect(await attempt({})).toBe('signed');
  });

  it('gives nobody a looser revision, another policy, or one policy less that denies', async () => {
    const [work] = contentOf(guest).policies.filter(({ policy }) => policy === ids.work);
    if (work === undefined) throw new Error('the guest has no work policy');
    for (const policies of [
      (all: readonly AppliedPolicy[]) =>
        all.map((one) => (one.policy === ids.work ? { ...one, revision: 2, document: allowing('work', '*') } : one)),
      (all: readonly AppliedPolicy[]) => all.map((one) => (one.policy === ids.work ? { ...one, document: allowing('work', '*') } : one)),
      (all: readonly AppliedPolicy[]) => all.filter(({ policy }) => policy !== ids.guard),
      (all: readonly AppliedPolicy[]) => [
        ...all,
        { ...work, policy: 'pol_zzz', name: 'new', document: allowing('new', 'new.example.org') },
      ],
      () => contentOf(trusted).policies,
    ])
      expect(await attempt(giving(guest, withPolicies(guest, policies))), String(policies)).toBe('signer.unapproved');
    const twice = withPolicies(guest, (all) => [...all, { ...work, document: allowing('work', '*') }]);
    expect(await attempt(giving(guest, twice))).toBe('bundle.schema');
    const exception = canonicalJson({
      ...contentOf(guest),
      exceptions: [
        {
          id: 'exc_1',
          name: 'for me',
          expiresAt: '2099-01-01T00:00:00.000Z',
          because: [],
          change: { kind: 'allow', allow: { network: { hosts: [{ host: 'new.example.org' }] } } },
        },
      ],
    });
    expect(await attempt(giving(guest, exception))).toBe('signer.unapproved');
  });

  it('moves nobody to a looser group, whatever it claims, and reuses no place', async () => {
    const home = cohortOf(trusted);
    expect(await attempt({ state: moved(guest, home), claims: { [home]: [[ids.group], []] } })).toBe('signer.unapproved');
    // The place of a device that left is nobody's: who comes to stand there is judged for itself.
    const { members, cohorts } = world();
    const swapped = members.map((member) =>
      member.device === trusted.id ? { device: guest.id, cohort: home } : { device: '', cohort: '' },
    );
    expect(await attempt({ state: { members: swapped, cohorts } })).toBe('signer.unapproved');
    const stranger = [...members, { device: 'dev_stranger', cohort: home }];
    expect(await attempt({ state: { members: stranger, cohorts } })).toBe('signer.unapproved');
    const again = [...members, { device: trusted.id, cohort: home }];
    expect(await attempt({ state: { members: again, cohorts } })).toBe('signer.refused');
    // A new cohort by another name, with the bundle of the looser one.
    const digest = sha256Hex(textOf(trusted));
    const named = { members: moved(guest, 'coh_new').members, cohorts: [...cohorts, { id: 'coh_new', digest, serial: 1 }] };
    expect(await attempt({ state: named })).toBe('signer.unapproved');
  });

  it('swaps no text under a digest, and forges no roots, base, or leaves', async () => {
    const text = withPolicies(guest, (all) => all.filter(({ policy }) => policy !== ids.guard));
    const honest = withPolicies(guest, (all) =>
      all.map((one) => (one.policy === ids.work ? { ...one, document: allowing('work', 'api.example.com') } : one)),
    );
    // The digest of the looser bundle, and the text of a narrower one.
    expect(await attempt({ state: given(guest, text), bundles: [honest] })).toBe('signer.unapproved');
    // Leaves that narrow, and roots of leaves that do not.
    const { payload } = await request(giving(guest, text));
    expect(await attempt(giving(guest, honest), { payload })).toBe('signer.refused');
    expect(await attempt({}, { base: { members: 'a'.repeat(64), cohorts: 'b'.repeat(64) } })).toBe('signer.behind');
    const { published } = test.plane.context;
    const base = { members: published.members.root(), cohorts: published.tree.root() };
    const forged = await request(giving(guest, text));
    expect(await attempt({}, { ...forged, base, members: [], cohorts: forged.cohorts })).toBe('signer.unapproved');
    expect(await attempt({}, { ...forged, base, members: [], cohorts: [] })).toBe('signer.refused');
  });

  it('gets nothing looser by two narrowing steps, nor by taking a bundle away first', async () => {
    const { members, cohorts } = world();
    const nobody = members.map((member) => (member.device === guest.id ? { device: '', cohort: '' } : member));
    expect(await attempt({ state: { members: nobody, cohorts } })).toBe('signed');
    expect(await attempt({ state: moved(guest, cohortOf(trusted)) })).toBe('signer.unapproved');
    expect(await attempt({})).toBe('signed');
    const less = withPolicies(guest, () => []);
    expect(await attempt(giving(guest, less))).toBe('signed');
    const loose = withPolicies(guest, (all) => all.filter(({ policy }) => policy !== ids.guard));
    expect(await attempt(giving(guest, loose))).toBe('signer.unapproved');
    expect(await attempt({})).toBe('signed');
  });

  it('plays no games with serials and times', async () => {
    const { serial } = await head();
    expect(await attempt({ serial: serial - 1 })).toBe('signer.rollback');
    expect(await attempt({ serial: Number.MAX_SAFE_INTEGER })).toBe('signer.serial');
    const less = giving(
      guest,
      withPolicies(guest, () => []),
    );
    expect(await attempt({ ...less, serial })).toBe('signer.serial');
    expect(await attempt({ state: given(guest, textOf(guest), world(), serial + 9) })).toBe('signer.serial');
    expect(await attempt({ payload: { epoch: 1 } })).toBe('signer.epoch');
    const later = new Date(Date.now() + 86_400_000);
    const shifted = { issuedAt: later.toISOString(), expiresAt: new Date(later.getTime() + 60_000).toISOString() };
    expect(await attempt({ payload: shifted })).toBe('signer.clock');
    expect(await attempt({ payload: { expiresAt: later.toISOString() } })).toBe('signer.refused');
  });

  it('makes no approval: not with its own keys, and not of another organisation, epoch, list or state', async () => {
    const { target, lists } = await stored();
    const wide: Target = {
      ...target,
      policies: target.policies.map((one) =>
        one.policy === ids.work ? { policy: one.policy, revision: 2, digest: documentDigest(allowing('work', '*')) } : one,
      ),
    };
    const text = withPolicies(guest, (all) =>
      all.map((one) => (one.policy === ids.work ? { ...one, revision: 2, document: allowing('work', '*') } : one)),
    );
    const attack = async (approval: ApprovalToWalk): Promise<string> => attempt({ ...giving(guest, text), approvals: [approval] });
    expect(await attack(await approvedBy(newKey(), wide, lists))).toBe('approval.threshold');
    expect(await attack(await approvedBy(approver, wide, lists, { org: 'org_other' }))).toBe('approval.org');
    expect(await attack(await approvedBy(approver, wide, lists, { epoch: 1 }))).toBe('approval.epoch');
    expect(await attack(await approvedBy(approver, wide, lists, { from: null }))).toBe('approval.from');
    expect(
      await attack(
        await approvedBy(approver, wide, lists, {
          expiresAt: new Date(Date.now() - 1).toISOString(),
          issuedAt: new Date(Date.now() - 9).toISOString(),
        }),
      ),
    ).toBe('approval.expired');
    // What was signed is one thing, and what is brought along another.
    const honest = await approvedBy(approver, target, lists);
    expect(await attack({ ...honest, target: wide })).toBe('approval.to');
    expect(await attack({ ...honest, lists: { ...lists, [ids.group]: [trusted.id, guest.id] } })).toBe('approval.target');
    const listed = [trusted.id, guest.id];
    const regrouped: Target = {
      ...target,
      groups: target.groups.map((one) =>
        one.group === ids.group
          ? { group: one.group, members: { kind: 'listed', count: listed.length, digest: membersDigest(listed) } }
          : one,
      ),
    };
    expect(await attack({ ...honest, target: regrouped, lists: { ...lists, [ids.group]: listed } })).toBe('approval.to');
  });

  it('shows no other roots: none of its own, none that goes aside, none that is older', async () => {
    const { roots } = test.plane.context.organisation;
    const document = JSON.parse(
      Buffer.from((JSON.parse(roots[0] ?? '') as { payload: string }).payload, 'base64url').toString('utf8'),
    ) as RootDocument;
    const key = newKey();
    const own = await signRoot(
      firstRoot({
        org: document.org,
        expiresAt: new Date(document.expiresAt),
        roles: { ...document.roles, root: { threshold: 1, keys: [key.jwk] }, approver: { threshold: 1, keys: [newKey().jwk] } },
      }),
      [key],
    );
    expect((await raw('roots', { roots: [own] })).code).toBe('root.fingerprint');
    const next = await signRoot(
      nextRoot(document, { role: 'approver', keys: { threshold: 1, keys: [newKey().jwk] }, expiresAt: new Date(document.expiresAt) }),
      [key],
    );
    expect((await raw('roots', { roots: [...roots, next] })).code).toBe('root.threshold');
    expect((await raw('roots', { roots: [] })).code).toMatch(/^(root\.|signer\.)/);
    expect((await raw('roots', { roots })).code).toBeUndefined();
  });

  it('finds no other door: closed requests, limits, and no state to follow but a newer one', async () => {
    const { rows } = await sql.query<{ jws: string }>('SELECT jws FROM checkpoint ORDER BY id LIMIT 1');
    const { members, cohorts } = await request({});
    const follow = {
      checkpoint: rows[0]?.jws ?? '',
      standing: { approved: null, before: null },
      targets: [],
      members,
      cohorts,
      bundles: [],
    };
    expect((await raw('follow', follow)).code).toBe('signer.rollback');
    for (const [op, asked] of [
      ['checkpoint', { ...(await request({})), trust: 'me' }],
      ['checkpoint', (await request({})).payload],
      ['checkpoint', null],
      ['follow', {}],
      ['roots', {}],
      ['manifest', {}],
      ['unseal', {}],
      ['__proto__', {}],
    ] as const)
      expect((await raw(op, asked)).code, op).toBe('signer.refused');
  });

  it('has a manifest signed for its own bundle, and no device takes it', async () => {
    const text = withPolicies(guest, () => [{ policy: ids.work, name: 'work', revision: 9, document: allowing('work', '*'), because: [] }]);
    const manifest = manifestFor(JSON.parse(text) as BundleContent, test.plane.context.organisation.orgId, new Date(), 86_400_000);
    const { result } = await raw('manifest', manifest);
    const { published } = test.plane.context;
    const [frame, membership] = [published.stateFrame(cohortOf(guest), true), published.membershipFrame(guest.id)];
    if (frame === undefined || membership === undefined) throw new Error('nothing is in force');
    await expect(verify(test, guest, { ...frame, manifest: String(result), bundle: text }, membership)).rejects.toMatchObject({
      code: 'manifest.digest',
    });
    await expect(verify(test, guest, { ...frame, bundle: text }, membership)).rejects.toMatchObject({ code: 'bundle.digest' });
  });
});

describe('an approval that was used', () => {
  it('does not serve again: not at once, not after going back, not once the way back is closed', async () => {
    const before = await stored();
    // What was signed above is ahead of the database.
    await sql.query('UPDATE organisation SET serial = $1', [(await head()).serial]);
    // Up, with a way back of a moment.
    await test.admin('POST', `/policies/${ids.work}/revisions`, {
      body: { yaml: yaml('work', 'allow: { network: { hosts: [{ host: "*.example.com" }, { host: more.example.org }] } }') },
    });
    expect((await test.admin('POST', '/publish', { body: { title: 'More' } })).status).toBe(201);
    const up = await stored();
    expect(targetDigest(up.target)).not.toBe(targetDigest(before.target));
    const wide = textOf(guest);
    expect(await attempt({ approvals: [before] })).toBe('approval.from');
    // Back again: less is published by whoever may, and approved so that the looser one counts no more.
    const { approved } = await head();
    const down = await approvedBy(approver, before.target, before.lists, { wayBackUntil: new Date(Date.now() + 1500).toISOString() });
    const { rows } = await sql.query<{ text: string }>(
      "SELECT convert_from(bytes, 'UTF8') AS text FROM bundle WHERE convert_from(bytes, 'UTF8') LIKE '%api.example.com%'",
    );
    const narrow = rows.map(({ text }) => text);
    const [forGuest = '', forTrusted = ''] = [
      narrow.find((text) => !text.includes('loose.example.org')),
      narrow.find((text) => text.includes('loose.example.org')),
    ];
    const { serial } = await head();
    const wayBackUntil =
      (JSON.parse(Buffer.from((JSON.parse(down.jws) as { payload: string }).payload, 'base64url').toString('utf8')) as ApprovalPayload)
        .wayBackUntil ?? '';
    const standing: StandingMark = {
      approved: { digest: targetDigest(before.target), serial: serial + 1 },
      before: { digest: approved?.digest ?? '', until: wayBackUntil },
    };
    const state = given(trusted, forTrusted, given(guest, forGuest, world(), serial + 1), serial + 1);
    expect(await attempt({ state, bundles: [forGuest, forTrusted], approvals: [down], standing })).toBe('signed');
    // As long as the way back is open it is used; then never again.
    const back = (): Promise<string> => attempt({ state: given(guest, wide, state, serial + 2), bundles: [forTrusted, wide] });
    await expect
      .poll(async () => (await attempt({ state, bundles: [forGuest, forTrusted] })) === 'signed' && (await back()), { timeout: 10_000 })
      .toBe('signer.unapproved');
    expect(await attempt({ state: given(guest, wide, state, serial + 2), bundles: [wide, forTrusted], approvals: [up] })).toBe(
      'approval.from',
    );
    expect(await attempt({ state, bundles: [forGuest, forTrusted], approvals: [down] })).toBe('signed');
  });
});
