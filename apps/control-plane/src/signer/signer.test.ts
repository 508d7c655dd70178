import fs from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { bundleOf, GROUPS, revOf, sideOf, type Rev, type Side } from '@cordon/policy/approval/_approvals.ts';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import {
  approve,
  approvers,
  firstOf,
  keyNamed,
  makeFolder,
  NO_STANDING,
  payloadFor,
  raisedFrom,
  rootsOf,
  signedRoot,
  wholeRequest,
  type Ask,
  type FleetState,
  type SignerFolder,
} from './_fleet.ts';
import type { CheckpointRequest, StandingMark } from './contract.ts';
import type { Cohort, Member } from './leaves.ts';
import type { Signer } from './signer.ts';

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'signed';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};

const [narrow, wide, other] = [
  revOf('pol_a', 1, ['a.example.com']),
  revOf('pol_a', 2, ['a.example.com', 'b.example.com']),
  revOf('pol_b', 1, ['c.example.com']),
];
const LISTS = { grp_l1: ['dev_1', 'dev_2'], grp_l2: [] };
const include = (policy: string, group: string) => ({ policy, group, mode: 'include' as const });
/** `pol_a` for everyone, and `pol_b` for whom the list names. */
const target = (a: Rev): Side => sideOf([a, other], [include('pol_a', GROUPS.all), include('pol_b', 'grp_l1')], LISTS);

const cohort = (id: string, revs: readonly Rev[], serial: number): Cohort => ({ id, digest: sha256Hex(bundleOf(revs)), serial });
const member = (device: string, id: string): Member => ({ device, cohort: id });
const VACANT: Member = { device: '', cohort: '' };
const stateOf = (
  a: Rev,
  serial: number,
  members: readonly Member[] = [member('dev_1', 'coh_1'), member('dev_3', 'coh_2')],
): FleetState => ({
  members,
  cohorts: [cohort('coh_1', [a, other], serial), cohort('coh_2', [a], serial)],
});
const textsOf = (a: Rev): string[] => [bundleOf([a, other]), bundleOf([a])];

describe('the signer', () => {
  let folder: SignerFolder;
  let signer: Signer;
  let close: () => void;
  const open = async (clock?: () => Date): Promise<Signer> => {
    const opened = await folder.open(clock);
    close = () => {
      opened.memory.close();
      close = () => undefined;
    };
    return opened.signer;
  };
  const reopen = async (clock?: () => Date): Promise<void> => {
    close();
    signer = await open(clock);
  };
  const sign = (ask: Ask, change: Partial<CheckpointRequest> = {}): Promise<string> =>
    signer.checkpoint({ ...wholeRequest(ask), ...change });
  const outcome = (ask: Ask, change: Partial<CheckpointRequest> = {}): Promise<string> => codeOf(() => sign(ask, change));
  /** Approved with serial 1 and in force: the narrow target. */
  const begin = async (): Promise<StandingMark> => {
    const { approval, standing } = await approve(target(narrow), { from: null, serial: 1 });
    await sign({ state: stateOf(narrow, 1), serial: 1, standing, approvals: [approval], bundles: textsOf(narrow) });
    return standing;
  };

  beforeEach(async () => {
    folder = makeFolder();
    onTestFinished(() => {
      close();
      fs.rmSync(folder.folder, { recursive: true });
    });
    signer = await open();
    await signer.roots({ roots: [await signedRoot(firstOf(new Date()))] });
  });

  it('signs nothing before it was given the roots, and what it signs is of its organisation, its epoch and of now', async () => {
    const standing = await begin();
    const ask = (change: Partial<Ask>): Ask => ({ state: stateOf(narrow, 1), serial: 2, standing, ...change });
    expect(await outcome(ask({}))).toBe('signed');
    expect(await outcome(ask({ epoch: 1 }))).toBe('signer.epoch');
    expect(await outcome(ask({ now: new Date(Date.now() + 3_600_000) }))).toBe('signer.clock');
    expect(await outcome(ask({}), { payload: { ...payloadFor(ask({})), org: 'org_b' } })).toBe('signer.refused');
    expect(await outcome(ask({}), { payload: { ...payloadFor(ask({})), standing: 'a'.repeat(64) } })).toBe('signer.refused');
    expect(await outcome(ask({ serial: 1 }))).toBe('signer.rollback');
    expect(await outcome(ask({ serial: 200_000 }))).toBe('signer.serial');
    for (const wrong of [null, {}, [], { ...wholeRequest(ask({})), more: 1 }, { ...wholeRequest(ask({})), members: [[0, 'a b', 'coh_1']] }])
      expect(await codeOf(() => signer.checkpoint(wrong))).toBe('signer.refused');
    close();
    folder = makeFolder();
    signer = await open();
    expect(await outcome({ state: { members: [], cohorts: [] }, serial: 1, standing: NO_STANDING })).toBe('signer.no-root');
  });

  it('signs what two of three approvers signed, and nothing of what one did', async () => {
    const [ask, by] = [
      { state: stateOf(narrow, 1), serial: 1, bundles: textsOf(narrow) },
      { from: null, serial: 1 },
    ] as const;
    const one = await approve(target(narrow), { ...by, signers: approvers(1) });
    expect(await outcome({ ...ask, standing: one.standing, approvals: [one.approval] })).toBe('approval.threshold');
    const twice = await approve(target(narrow), { ...by, signers: approvers(1, 1) });
    expect(await outcome({ ...ask, standing: twice.standing, approvals: [twice.approval] })).toBe('approval.threshold');
    expect(await outcome({ ...ask, standing: NO_STANDING })).toBe('signer.unapproved');
    const two = await approve(target(narrow), { ...by, signers: approvers(1, 3) });
    expect(await outcome({ ...ask, standing: two.standing, approvals: [two.approval] })).toBe('signed');
  });

  it('keeps what it refused as it was: the next request is judged by what was signed', async () => {
    const standing = await begin();
    const head = signer.head();
    expect(await outcome({ state: stateOf(wide, 2), serial: 2, standing, bundles: textsOf(wide) })).toBe('signer.unapproved');
    const wrong = payloadFor({ state: stateOf(wide, 2), serial: 2, standing });
    expect(await outcome({ state: stateOf(narrow, 1), serial: 2, standing }, { payload: wrong })).toBe('signer.refused');
    // Leaves that nobody objects to, and each root and size of others.
    const swapped = rootsOf(stateOf(narrow, 1, [member('dev_1', 'coh_2'), member('dev_3', 'coh_1')]));
    const honest = payloadFor({ state: stateOf(narrow, 1), serial: 2, standing });
    for (const forged of [
      { members: swapped.members },
      { members: { ...honest.members, size: 3 } },
      { cohorts: wrong.cohorts },
      { cohorts: { ...honest.cohorts, size: 3 } },
    ])
      expect(await outcome({ state: stateOf(narrow, 1), serial: 2, standing }, { payload: { ...honest, ...forged } })).toBe(
        'signer.refused',
      );
    expect(signer.head()).toEqual(head);
    await reopen();
    expect(signer.head()).toEqual(head);
    expect(await outcome({ state: stateOf(narrow, 1), serial: 2, standing })).toBe('signed');
  });

  it('takes changes alone, of exactly the leaves that it signed last', async () => {
    const standing = await begin();
    const { members, cohorts } = rootsOf(stateOf(narrow, 1));
    const base = { members: members.root, cohorts: cohorts.root };
    const next = stateOf(narrow, 1, [member('dev_1', 'coh_1'), member('dev_3', 'coh_2'), member('dev_2', 'coh_1')]);
    const ask = { state: next, serial: 2, standing };
    const change = { base, members: [[2, 'dev_2', 'coh_1']] as CheckpointRequest['members'], cohorts: [] };
    expect(await outcome(ask, { ...change, base: { ...base, members: 'a'.repeat(64) } })).toBe('signer.behind');
    expect(await outcome(ask, { ...change, members: [[3, 'dev_2', 'coh_1']] })).toBe('signer.refused');
    expect(await outcome(ask, { ...change, members: [[2, 'dev_4', 'coh_1']] })).toBe('signer.unapproved');
    expect(await outcome(ask, change)).toBe('signed');
    expect(signer.head()).toMatchObject({ members: rootsOf(next).members.root, serial: 2 });
  });

  it('judges a place anew when somebody else stands there, and a device nowhere but at its own', async () => {
    const standing = await begin();
    const at = (...members: Member[]): Ask => ({
      state: stateOf(narrow, 1, members),
      serial: signer.head().serial + 1,
      standing,
      bundles: textsOf(narrow),
    });
    // dev_3 is in no list: it may not have what dev_1 had at that place.
    expect(await outcome(at(member('dev_3', 'coh_1'), VACANT))).toBe('signer.unapproved');
    expect(await outcome(at(VACANT, member('dev_3', 'coh_2')))).toBe('signed');
    expect(await outcome(at(member('dev_4', 'coh_1'), member('dev_3', 'coh_2')))).toBe('signer.unapproved');
    expect(await outcome(at(member('dev_3', 'coh_2'), member('dev_3', 'coh_2')))).toBe('signer.refused');
    expect(await outcome(at(VACANT, member('dev_3', 'coh_2'), member('dev_3', 'coh_1')))).toBe('signer.refused');
    expect(await outcome(at(member('dev_2', 'coh_1'), member('dev_3', 'coh_2')))).toBe('signed');
  });

  it('does not forget what a device had: two narrowing steps lead to no wider one, and nothing leads back', async () => {
    const standing = await begin();
    const [less, least] = [revOf('pol_a', 3, []), revOf('pol_a', 4, [], ['a.example.com'])];
    const ask = (a: Rev, serial: number): Ask => ({ state: stateOf(a, serial), serial, standing, bundles: textsOf(a) });
    expect(await outcome(ask(less, 2))).toBe('signed');
    expect(await outcome(ask(least, 3))).toBe('signed');
    expect(await outcome(ask(wide, 4))).toBe('signer.unapproved');
    // What was approved, and anything less than that, may come back.
    expect(await outcome(ask(less, 4))).toBe('signed');
    expect(await outcome(ask(narrow, 5))).toBe('signed');
  });

  it('uses an approval once: not again, not after going back, not from another state', async () => {
    const first = await begin();
    const up = await approve(target(wide), { from: first.approved, serial: 2 });
    const toWide = (serial: number, one: typeof up): Promise<string> =>
      outcome({ state: stateOf(wide, serial), serial, standing: one.standing, approvals: [one.approval], bundles: textsOf(wide) });
    expect(await toWide(1, up)).toBe('approval.serial');
    expect(await toWide(2, up)).toBe('signed');
    const down = await approve(target(narrow), { from: up.standing.approved, serial: 3 });
    const back = { state: stateOf(narrow, 3), serial: 3, standing: down.standing, approvals: [down.approval], bundles: textsOf(narrow) };
    expect(await outcome(back)).toBe('signed');
    expect(await toWide(4, up)).toBe('approval.from');
    expect(await toWide(4, await approve(target(wide), { from: null, serial: 4 }))).toBe('approval.from');
    expect(await toWide(4, await approve(target(wide), { from: first.approved, serial: 4 }))).toBe('approval.from');
    // Asked again after a lost answer, it is passed over.
    expect(await outcome({ ...back, state: stateOf(narrow, 3) })).toBe('signed');
  });

  it('opens the way back for as long as was approved, by its own clock', async () => {
    const first = await begin();
    const until = new Date(Date.now() + 60_000);
    const tight = revOf('pol_a', 5, [], ['a.example.com']);
    const down = await approve(target(tight), { from: first.approved, serial: 2, change: { wayBackUntil: until.toISOString() } });
    const state = (a: Rev, serial: number): Ask => ({ state: stateOf(a, serial), serial, standing: down.standing, bundles: textsOf(a) });
    expect(await outcome({ ...state(tight, 2), approvals: [down.approval] })).toBe('signed');
    expect(await outcome(state(narrow, 3))).toBe('signed');
    expect(await outcome(state(tight, 4))).toBe('signed');
    await reopen(() => until);
    expect(await outcome({ ...state(narrow, 5), now: new Date() })).toBe('signer.unapproved');
    expect(await outcome({ ...state(tight, 4), now: new Date() })).toBe('signed');
  });

  it('does not take a serial twice for what is other, nor one of a cohort that is still to come', async () => {
    const standing = await begin();
    const moved = stateOf(narrow, 1, [VACANT, member('dev_3', 'coh_2')]);
    expect(await outcome({ state: moved, serial: 1, standing })).toBe('signer.serial');
    expect(await outcome({ state: stateOf(narrow, 9), serial: 2, standing })).toBe('signer.serial');
    expect(await outcome({ state: stateOf(narrow, 1), serial: 1, standing })).toBe('signed');
    const joined = stateOf(narrow, 1, [member('dev_1', 'coh_1'), member('dev_3', 'coh_2'), VACANT]);
    expect(await outcome({ state: joined, serial: 1, standing })).toBe('signed');
  });

  it('keeps a cohort where it is, and knows bundles by what is in them', async () => {
    const standing = await begin();
    const { members, cohorts } = rootsOf(stateOf(narrow, 1));
    const base = { members: members.root, cohorts: cohorts.root };
    const named = (entries: CheckpointRequest['cohorts'], bundles: string[] = []): Promise<string> =>
      outcome({ state: stateOf(narrow, 1), serial: 2, standing }, { base, members: [], cohorts: entries, bundles });
    const digest = sha256Hex(bundleOf([wide]));
    expect(await named([[1, 'coh_9', digest, 2]])).toBe('signer.refused');
    expect(await named([[2, 'coh_2', digest, 2]])).toBe('signer.refused');
    expect(await named([[1, 'coh_2', digest, 0]])).toBe('signer.refused');
    // A text under another's digest is not that bundle.
    expect(await named([[1, 'coh_2', digest, 2]], [bundleOf([revOf('pol_a', 2, [])])])).toBe('signer.unapproved');
    expect(await named([[1, 'coh_2', digest, 2]], [bundleOf([wide])])).toBe('signer.unapproved');
  });

  describe('and the root', () => {
    it('goes on from the chain that it knows, and never back or aside', async () => {
      const now = new Date();
      const first = firstOf(new Date(now.getTime() + 1));
      const second = raisedFrom(first);
      const chain = [await signedRoot(first), await signedRoot(second)];
      expect(await codeOf(() => signer.roots({ roots: chain }))).toBe('root.fingerprint');
      close();
      folder = makeFolder();
      signer = await open();
      expect(await codeOf(() => signer.roots({ roots: chain }))).toBe('signed');
      expect(await codeOf(() => signer.roots({ roots: chain.slice(0, 1) }))).toBe('signer.roots');
      const fork = await signedRoot({ ...second, expiresAt: new Date(now.getTime() + 86_400_000).toISOString() });
      expect(await codeOf(() => signer.roots({ roots: [chain[0] ?? '', fork] }))).toBe('signer.roots');
      await reopen();
      expect(await codeOf(() => signer.roots({ roots: chain }))).toBe('signed');
    });

    it('that raises the epoch ends what was approved; what devices have stays known', async () => {
      const now = new Date();
      const first = firstOf(now);
      close();
      folder = makeFolder();
      signer = await open();
      await signer.roots({ roots: [await signedRoot(first)] });
      const standing = await begin();
      const chain = [await signedRoot(first), await signedRoot(raisedFrom(first))];
      await signer.roots({ roots: chain });
      await reopen();
      expect(signer.head()).toMatchObject({ approved: null, before: null, members: rootsOf(stateOf(narrow, 1)).members.root });
      const ask = (a: Rev, change: Partial<Ask> = {}): Ask => ({
        state: stateOf(a, 1),
        serial: 1,
        epoch: 1,
        standing: NO_STANDING,
        bundles: textsOf(a),
        ...change,
      });
      expect(await outcome({ ...ask(narrow), epoch: 0, serial: 2, standing })).toBe('signer.epoch');
      expect(await outcome(ask(wide))).toBe('signer.unapproved');
      const old = await approve(target(wide), { from: standing.approved, serial: 1 });
      expect(await outcome(ask(wide, { approvals: [old.approval], standing: old.standing }))).toBe('approval.epoch');
      const again = await approve(target(wide), { from: standing.approved, serial: 1, change: { epoch: 1 } });
      expect(await outcome(ask(wide, { approvals: [again.approval], standing: again.standing }))).toBe('approval.from');
      expect(await outcome(ask(narrow))).toBe('signed');
      const fresh = await approve(target(wide), { from: null, serial: 2, change: { epoch: 1 } });
      expect(
        await outcome({ ...ask(wide), state: stateOf(wide, 2), serial: 2, approvals: [fresh.approval], standing: fresh.standing }),
      ).toBe('signed');
    });
  });

  describe('and its state', () => {
    it('stops it when a byte of it is another, or changes nothing', async () => {
      const standing = await begin();
      const head = signer.head();
      close();
      const whole = fs.readFileSync(folder.state);
      let stopped = 0;
      // Every part of the file is met; the nightly run meets every byte.
      const step = Math.max(1, Math.floor(whole.length / LAW_RUNS));
      for (let at = 0; at < whole.length; at += step) {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
        fs.writeFileSync(folder.state, bytes);
        const opened = await open().catch((error: unknown) => error as { code: string });
        if ('code' in opened) {
          expect(opened.code).toBe('signer.state');
          stopped += 1;
          continue;
        }
        expect(opened.head()).toEqual(head);
        expect(
          await codeOf(() => opened.checkpoint(wholeRequest({ state: stateOf(wide, 2), serial: 2, standing, bundles: textsOf(wide) }))),
        ).toMatch(/^signer\.(unapproved|state|failed)$/);
        close();
      }
      expect(stopped).toBeGreaterThan(0);
      fs.writeFileSync(folder.state, whole);
      signer = await open();
      expect(signer.head()).toEqual(head);
    });

    it('stops it when a row was changed, put in or left out by someone who knows how', async () => {
      await begin();
      close();
      const whole = fs.readFileSync(folder.state);
      const text = bundleOf([wide]);
      for (const sql of [
        'UPDATE summary SET text = replace(text, \'"serial":1\', \'"serial":0\')',
        'DELETE FROM summary',
        'DELETE FROM root',
        'DELETE FROM member WHERE place = 0',
        "UPDATE member SET cohort = 'coh_1'",
        "INSERT INTO member VALUES (2, 'dev_9', 'coh_1')",
        `UPDATE cohort SET digest = '${sha256Hex(text)}' WHERE place = 1`,
        'DELETE FROM bundle',
        `UPDATE bundle SET text = '${text}'`,
        `UPDATE document SET text = '{}'`,
        'DELETE FROM target',
        "UPDATE target SET text = replace(text, 'dev_1', 'dev_9')",
        "UPDATE target SET text = replace(text, 'grp_l1', 'grp_all')",
        'DROP TABLE target',
      ]) {
        fs.writeFileSync(folder.state, whole);
        const database = new DatabaseSync(folder.state);
        database.exec(sql);
        database.close();
        expect(await codeOf(() => open()), sql).toBe('signer.state');
      }
      fs.writeFileSync(folder.state, whole);
      signer = await open();
    });

    it('is missed when it or its mark is gone, and an older one in its place signs nothing', async () => {
      const standing = await begin();
      close();
      const [old, mark] = [fs.readFileSync(folder.state), fs.readFileSync(folder.mark)];
      signer = await open();
      const ask = (serial: number): Ask => ({ state: stateOf(narrow, 1), serial, standing });
      expect(await outcome(ask(2))).toBe('signed');
      close();
      fs.rmSync(folder.state);
      expect(await codeOf(() => open())).toBe('signer.state');
      fs.writeFileSync(folder.state, '');
      expect(await codeOf(() => open())).toBe('signer.state');
      fs.writeFileSync(folder.state, old);
      signer = await open();
      for (const serial of [1, 2, 3, 1000]) expect(await outcome(ask(serial)), `${serial}`).toBe('signer.rollback');
      close();
      fs.rmSync(folder.mark);
      expect(await codeOf(() => open())).toBe('signer.state');
      fs.writeFileSync(folder.mark, mark);
      signer = await open();
      expect(await outcome(ask(2))).toBe('signed');
    });

    it('begins from the mark of an older version: it takes what it signed last, once, and nothing else', async () => {
      const standing = await begin();
      const state = stateOf(narrow, 1);
      const jws = await sign({ state, serial: 2, standing });
      const { standing: _none, ...payload } = payloadFor({ state, serial: 2, standing: NO_STANDING });
      const before = await signCompact(payload, 'cordon-checkpoint+jws', keyNamed('checkpoint'));
      const follow = (checkpoint: string, given: FleetState, knows = NO_STANDING): Promise<string> => {
        const { members, cohorts } = wholeRequest({ state: given, serial: 2, standing: NO_STANDING });
        return codeOf(() =>
          signer.follow({ checkpoint, standing: knows, targets: [], members, cohorts, bundles: [...textsOf(narrow), ...textsOf(wide)] }),
        );
      };
      const begun = async (mark: object): Promise<void> => {
        close();
        for (const file of [folder.state, folder.mark]) fs.rmSync(file, { force: true });
        fs.writeFileSync(folder.mark, JSON.stringify(mark));
        signer = await open();
        await signer.roots({ roots: [await signedRoot(firstOf(new Date()))] });
      };
      await begun({ epoch: 0, serial: 2 });
      expect(await follow(before, stateOf(wide, 1))).toBe('signer.refused');
      expect(await follow(jws, state)).toBe('signer.follow');
      expect(await follow(before, state)).toBe('signed');
      expect(await outcome({ state: stateOf(wide, 3), serial: 3, standing: NO_STANDING, bundles: textsOf(wide) })).toBe(
        'signer.unapproved',
      );
      expect(await outcome({ state, serial: 3, standing: NO_STANDING })).toBe('signed');
      expect(await follow(before, state)).toBe('signer.rollback');
      await begun({ epoch: 0, serial: 1 });
      expect(await follow(before, state)).toBe('signer.follow');
      await begun({ epoch: 0, serial: 3 });
      expect(await follow(before, state)).toBe('signer.rollback');
    });
  });

  it('goes on from what another signer with its keys has signed, and never back', async () => {
    const first = await begin();
    const up = await approve(target(wide), { from: first.approved, serial: 2 });
    const state = stateOf(wide, 2);
    const jws = await sign({ state, serial: 2, standing: up.standing, approvals: [up.approval], bundles: textsOf(wide) });
    close();
    const firstFolder = folder.folder;
    onTestFinished(() => fs.rmSync(firstFolder, { recursive: true }));
    folder = makeFolder();
    signer = await open();
    await signer.roots({ roots: [await signedRoot(firstOf(new Date()))] });
    const { members, cohorts } = wholeRequest({ state, serial: 2, standing: up.standing });
    const { jws: _jws, ...known } = up.approval;
    const request = { checkpoint: jws, standing: up.standing, targets: [known], members, cohorts, bundles: textsOf(wide) };
    const follow = (change: object): Promise<string> => codeOf(() => signer.follow({ ...request, ...change }));
    expect(await follow({ targets: [] })).toBe('signer.standing');
    expect(await follow({ targets: [{ ...known, lists: { ...known.lists, grp_l1: ['dev_1', 'dev_9'] } }] })).toBe('approval.target');
    expect(await follow({ standing: { ...up.standing, approved: { ...up.standing.approved, serial: 9 } } })).toBe('signer.follow');
    expect(await follow({ standing: first })).toBe('signer.follow');
    expect(await follow({ bundles: [] })).toBe('signer.bundle-missing');
    expect(await follow({ members: members.slice(0, 1) })).toBe('signer.refused');
    expect(await follow({ checkpoint: jws.replace(/.{8}$/, 'AAAAAAAA') })).toMatch(/^jws\./);
    const forged = await signCompact(payloadFor({ state, serial: 2, standing: up.standing }), 'cordon-checkpoint+jws', keyNamed('policy'));
    expect(await follow({ checkpoint: forged })).toBe('jws.key');
    expect(await follow({})).toBe('signed');
    expect(signer.head()).toMatchObject({ serial: 2, approved: up.standing.approved });
    expect(await outcome({ state, serial: 3, standing: up.standing })).toBe('signed');
    expect(await follow({})).toBe('signer.rollback');
  });
});
