import fs from 'node:fs';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { bundleOf, revOf, sideOf, type Rev } from '@cordon/policy/approval/_approvals.ts';
import { codeOf } from '@cordon/policy/trust/_refusal.ts';
import { documentDigest } from '@cordon/policy/trust/bundle.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { admit } from '@cordon/policy/trust/keys.ts';
import { openRunToken, type RunTokenClaims } from '@cordon/policy/trust/run-token.ts';
import { approve, firstOf, keyNamed, makeFolder, ORG, raisedFrom, signedRoot, wholeRequest, type FleetState } from './_fleet.ts';
import type { StandingMark } from './contract.ts';
import type { Signer } from './signer.ts';

const [ADA, BEN, GONE] = ['dev_ada_0000000000000', 'dev_ben_0000000000000', 'dev_gone_000000000000'];

/** A revision that lets these hosts receive the identity of runs. */
const receiving = (revision: number, hosts: readonly string[], mode: 'enforce' | 'audit' = 'enforce'): Rev => {
  const { policy, document } = revOf('pol_a', revision, []);
  const { spec } = document;
  const receivingDocument = { ...document, spec: { ...spec, mode, allow: { ...spec.allow, identity: { hosts: [...hosts] } } } };
  return { policy, revision, digest: documentDigest(receivingDocument), document: receivingDocument };
};
const [named, plain] = [receiving(1, ['api.example.com']), revOf('pol_b', 1, ['api.example.com'])];
const stateOf = (a: Rev, serial: number): FleetState => ({
  members: [
    { device: ADA, cohort: 'coh_1' },
    { device: BEN, cohort: 'coh_2' },
  ],
  cohorts: [
    { id: 'coh_1', digest: sha256Hex(bundleOf([a, plain])), serial },
    { id: 'coh_2', digest: sha256Hex(bundleOf([plain])), serial },
  ],
});
const ASSIGNED = [
  { policy: 'pol_a', group: 'grp_l1', mode: 'include' as const },
  { policy: 'pol_b', group: 'grp_all', mode: 'include' as const },
];

describe('tokens of runs', () => {
  const start = new Date();
  let now = start;
  let signer: Signer;
  let standing: StandingMark;

  const put = async (a: Rev, serial: number): Promise<void> => {
    const side = sideOf([a, plain], ASSIGNED, { grp_l1: [ADA], grp_l2: [] });
    const { approval, standing: next } = await approve(side, { from: serial === 1 ? null : standing.approved, serial, now });
    standing = next;
    const bundles = [bundleOf([a, plain]), bundleOf([plain])];
    await signer.checkpoint(wholeRequest({ state: stateOf(a, serial), serial, standing, approvals: [approval], bundles, now }));
  };
  beforeEach(async () => {
    const folder = makeFolder();
    now = start;
    const opened = await folder.open(() => now);
    onTestFinished(() => {
      opened.memory.close();
      fs.rmSync(folder.folder, { recursive: true });
    });
    ({ signer } = opened);
    await signer.roots({ roots: [await signedRoot(firstOf(now))] });
    await put(named, 1);
  });

  const claims = (change: Partial<RunTokenClaims> = {}, verified: Partial<RunTokenClaims['verified']> = {}): RunTokenClaims => {
    const iat = Math.floor(start.getTime() / 1000);
    const run = 'run_0000000000000001';
    return {
      iss: 'https://cordon.example',
      sub: run,
      aud: 'https://api.example.com',
      iat,
      nbf: iat,
      exp: iat + 300,
      jti: 'j'.repeat(22),
      verified: {
        organisation: ORG,
        epoch: 0,
        device: ADA,
        cohort: 'coh_1',
        compliance: 'Compliant',
        assurance: 'system',
        bundle: sha256Hex(bundleOf([named, plain])),
        ...verified,
      },
      asserted: {
        run,
        parents: [],
        user: { name: 'ada', kind: 'local' },
        agent: { id: 'codex', proof: 'claimed' },
        delivery: 'workload',
      },
      ...change,
    };
  };
  const outcome = (asked: unknown): Promise<string> => codeOf(() => signer.runToken(asked));

  it('are signed with the key of the role identity and no other', async () => {
    const token = await signer.runToken(claims());
    expect(await openRunToken(token, admit(keyNamed('identity').jwk), now)).toEqual(claims());
    for (const role of ['policy', 'checkpoint', 'root', 'approver 1'])
      expect(await codeOf(() => openRunToken(token, admit(keyNamed(role).jwk), now))).toBe('jws.key');
  });

  it.each<readonly [what: string, asked: () => unknown, code: string]>([
    ['of a device that never had a place', () => claims({}, { device: GONE }), 'signer.token'],
    ['of a device in the cohort of another', () => claims({}, { device: BEN }), 'signer.token'],
    ['under a bundle that the cohort does not have', () => claims({}, { bundle: 'a'.repeat(64) }), 'signer.token'],
    ['for an audience that no policy names', () => claims({ aud: 'https://evil.example' }), 'signer.token'],
    ['for a host that may only be reached', () => claims({ aud: 'https://base.example.com' }), 'signer.token'],
    ['of another organisation', () => claims({}, { organisation: 'org_b' }), 'signer.refused'],
    ['of another epoch', () => claims({}, { epoch: 1 }), 'signer.epoch'],
    ['that would live six minutes', () => claims({ exp: claims().iat + 360 }), 'signer.refused'],
    [
      'that begins in an hour',
      () => claims({ iat: claims().iat + 3600, nbf: claims().nbf + 3600, exp: claims().exp + 3600 }),
      'signer.clock',
    ],
    ['with a claim of its own', () => ({ ...claims(), admin: true }), 'signer.refused'],
    ['that is nothing', () => null, 'signer.refused'],
  ])('are not signed %s', async (_what, asked, code) => {
    expect(await outcome(claims())).toBe('accepted');
    expect(await outcome(asked())).toBe(code);
  });

  it('for the cohort without that policy name nobody', async () => {
    const theirs = { device: BEN, cohort: 'coh_2', bundle: sha256Hex(bundleOf([plain])) };
    expect(await outcome(claims({}, theirs))).toBe('signer.token');
  });

  it('follow what is in force: the bundle before, an audience that was taken away, and a policy that is only watched count no more', async () => {
    const before = claims();
    const less = receiving(2, ['other.example.com']);
    await put(less, 2);
    expect(await outcome(before)).toBe('signer.token');
    const bundle = sha256Hex(bundleOf([less, plain]));
    expect(await outcome(claims({}, { bundle }))).toBe('signer.token');
    expect(await outcome(claims({ aud: 'https://other.example.com' }, { bundle }))).toBe('accepted');
    const watched = receiving(3, ['other.example.com'], 'audit');
    await put(watched, 3);
    const audit = sha256Hex(bundleOf([watched, plain]));
    expect(await outcome(claims({ aud: 'https://other.example.com' }, { bundle: audit }))).toBe('signer.token');
  });

  it('are of the signer’s own time, and of the epoch that the root opened last', async () => {
    now = new Date(start.getTime() + 61_500);
    expect(await outcome(claims())).toBe('signer.clock');
    now = start;
    const first = firstOf(start);
    await signer.roots({ roots: [await signedRoot(first), await signedRoot(raisedFrom(first))] });
    expect(await outcome(claims())).toBe('signer.epoch');
  });

  it('are not signed by a signer that nobody gave the roots', async () => {
    const folder = makeFolder();
    const opened = await folder.open();
    expect(await codeOf(() => opened.signer.runToken(claims()))).toBe('signer.no-root');
    opened.memory.close();
    fs.rmSync(folder.folder, { recursive: true });
  });
});
