/** Keys that are lost or stolen, one role after the other: what the thief can do until the root says otherwise, and nothing afterwards; and what goes on below the root's threshold. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BundleContent } from '@cordon/policy/effective.ts';
import type { MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import { bundleBytes, manifestFor } from '@cordon/policy/trust/bundle.ts';
import { cohortLeafBytes, memberLeafBytes, type CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import { MerkleTree } from '@cordon/policy/trust/merkle.ts';
import { openSeeds } from '@cordon/policy/trust/sealed-seeds.ts';
import type { Outcome } from '../apps/endpoint-agent/src/policy-state/policy-state.ts';
import { cordonctl, ctl, join, makeFolder, start, wake, type Fleeting } from './_fleet.ts';
import { hosts, loosen, neverLooser, reach, running, type Organisation } from './_recovery.ts';

const MINUTE = 60_000;

/** What somebody has who read the signer's folder. */
const stolenKeys = (signer: string): { readonly policy: KeyPair; readonly checkpoint: KeyPair } => {
  const seeds = openSeeds(fs.readFileSync(path.join(signer, 'online-keys.json'), 'utf8'), fs.readFileSync(path.join(signer, 'passphrase')));
  const key = (role: string): KeyPair => keyPairFromSeed(Buffer.from(seeds[role] ?? '', 'base64url'));
  return { policy: key('policy'), checkpoint: key('checkpoint') };
};

interface Halves {
  readonly frame: StateFrame;
  readonly membership: MembershipFrame;
}
/** What a device has stored last. */
const stored = (device: Fleeting): Halves =>
  ['state-a.json', 'state-b.json']
    .map((name) => path.join(device.stateDir, name))
    .filter((file) => fs.existsSync(file))
    .map((file) => ({ at: fs.statSync(file).mtimeMs, value: JSON.parse(fs.readFileSync(file, 'utf8')) as Halves }))
    .toSorted((a, b) => b.at - a.at)
    .map(({ value }) => value)[0] ?? expect.unreachable('nothing is stored');

/** A leaf at its own position, and the root over all of it. */
const treeWith = (index: number, leaf: Buffer | Uint8Array): { readonly root: string; readonly size: number; readonly proof: string[] } => {
  const tree = new MerkleTree();
  for (let i = 0; i <= index; i += 1) tree.set(i, leaf);
  return { root: tree.root(), size: tree.size, proof: [...tree.proof(index)] };
};

/** A state for one device that allows everything that the thief wants, everything about it in order but for who signed. */
const forge = async (
  device: Fleeting,
  keys: { readonly policy: KeyPair; readonly checkpoint: KeyPair },
  epoch: number,
): Promise<Halves> => {
  const { frame, membership } = stored(device);
  const content = JSON.parse(frame.bundle ?? '') as BundleContent;
  const allowed = Array.from({ length: 9 }, (_, i) => ({ host: `thief-${i}.example.com` }));
  const looser: BundleContent = {
    ...content,
    policies: content.policies.map((policy) => ({
      ...policy,
      revision: 99,
      document: { ...policy.document, spec: { ...policy.document.spec, allow: { network: { hosts: allowed } } } },
    })),
  };
  const text = bundleBytes(looser);
  const payload = JSON.parse(Buffer.from(frame.checkpoint.split('.')[1] ?? '', 'base64url').toString()) as CheckpointPayload;
  const now = new Date();
  const serial = payload.serial + 1000;
  const cohort = { ...frame.cohort.leaf, serial, digest: sha256Hex(text) };
  const [cohorts, members] = [
    treeWith(cohort.index, cohortLeafBytes(cohort)),
    treeWith(membership.member.leaf.index, memberLeafBytes(membership.member.leaf)),
  ];
  const checkpoint = await signCompact(
    {
      ...payload,
      epoch,
      serial,
      issuedAt: now.toISOString(),
      expiresAt: new Date(now.getTime() + 10 * MINUTE).toISOString(),
      members: { size: members.size, root: members.root },
      cohorts: { size: cohorts.size, root: cohorts.root },
    },
    'cordon-checkpoint+jws',
    keys.checkpoint,
  );
  const manifest = await signCompact(manifestFor(looser, payload.org, now, 7 * 86_400_000), 'cordon-bundle+jws', keys.policy);
  return {
    frame: { type: 'state', checkpoint, cohort: { leaf: cohort, proof: cohorts.proof }, manifest, bundle: text },
    membership: { type: 'membership', checkpoint, member: { leaf: membership.member.leaf, proof: members.proof } },
  };
};
const give = async (device: Fleeting, { frame, membership }: Halves): Promise<Outcome[]> => [
  await device.state.onState(frame, new Date()),
  await device.state.onMembership(membership, new Date()),
];

/** The same device on a disk of its own, without a connection: to see what would happen to it. */
const twin = async (device: Fleeting): Promise<Fleeting> => {
  const folder = makeFolder();
  fs.cpSync(device.stateDir, folder, { recursive: true });
  const copy = await wake(folder);
  await copy.stop();
  return copy;
};

const signed = ({ at }: Organisation, ceremony: string): string[] => [
  '--with',
  at(ceremony, 'root-1.key'),
  '--with',
  at(ceremony, 'root-2.key'),
];

describe('online keys that were stolen', () => {
  it(
    'sign for devices until the root names others; what they sign afterwards is refused by everybody, in every epoch',
    { timeout: 180_000 },
    async () => {
      const organisation = await running();
      const { site, devices, at } = organisation;
      const [device = expect.unreachable('no device')] = devices;
      const keys = stolenKeys(path.join(site.stateDir, 'signer'));
      // It is a theft: without more, a device would believe it, within the floor.
      const victim = await twin(device);
      expect(await give(victim, await forge(device, keys, 0))).toContainEqual(
        expect.objectContaining({ kind: 'accepted', replaced: true }),
      );
      expect(hosts(victim)).toBe(9);

      await organisation.plane.close();
      const args = ['--organisation', organisation.file('org'), ...signed(organisation, 'org'), '--out', at('v2')];
      await ctl('keys', 'rotate', 'checkpoint', '--raise-epoch', ...args);
      await neverLooser(devices, 1, async () => {
        const after = await start(site, at('v2/server'));
        for (const one of devices) await reach(one, 1, 1);
        for (const epoch of [0, 1, 2]) {
          const copy = await twin(device);
          for (const outcome of await give(copy, await forge(device, keys, epoch)))
            expect(outcome, `epoch ${epoch}`).toMatchObject({ kind: 'refused', code: 'jws.key' });
          expect(hosts(copy)).toBe(1);
        }
        // With one of the two new keys alone he puts nothing in force either: bundles are signed by the other.
        const now = stolenKeys(path.join(site.stateDir, 'signer'));
        const copy = await twin(device);
        const [state] = await give(copy, await forge(device, { ...now, policy: keys.policy }, 1));
        expect([state, hosts(copy)]).toEqual([expect.objectContaining({ kind: 'refused', code: 'jws.key' }), 1]);
        await after.close();
      });
      // Who was away when he struck comes back by itself: nothing of the old epoch counts.
      const back = await start(site);
      await loosen(back, organisation, 2);
      for (const one of devices) await reach(one, 2, 1);
    },
  );
});

describe('offline keys that were lost or stolen', () => {
  it(
    'a root share, the approver and the floor: each is replaced by rotation, and the old ones decide nothing any more',
    { timeout: 180_000 },
    async () => {
      const organisation = await running();
      const { site, devices, at, plane } = organisation;
      await plane.close();
      fs.rmSync(at('org/root-3.key'));
      const next = (role: string, from: string, by: string, to: string): Promise<string> =>
        ctl('keys', 'rotate', role, '--organisation', organisation.file(from), ...signed(organisation, by), '--out', at(to));
      await next('root', 'org', 'org', 'v2');
      await next('approver', 'v2', 'v2', 'v3');
      await next('floor', 'v3', 'v2', 'v4');
      const after = await start(site, at('v4/server'));
      for (const device of devices) {
        await expect.poll(() => device.state.trusted().roots.length, { timeout: 60_000 }).toBe(4);
        await reach(device, 1);
      }
      const refused = async (code: string, ...args: readonly string[]): Promise<void> => {
        const { status, stderr } = await cordonctl(args);
        expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(`[${code}]`) as unknown });
      };
      await refused(
        'root.threshold',
        'keys',
        'raise-epoch',
        '--organisation',
        organisation.file('v4'),
        ...signed(organisation, 'org'),
        '--out',
        at('x'),
      );
      fs.writeFileSync(at('floor.yaml'), FLOOR);
      const floor = ['floor', 'sign', '--organisation', organisation.file('v4'), '--floor', at('floor.yaml'), '--out', at('x')];
      await refused('floor.threshold', ...floor, '--with', at('org/floor.key'));

      // Who stole the approver's key approves nothing; the new one does.
      const loosened = loosen(after, organisation, 2, 'org/approver.key').then(
        () => 'published',
        () => 'refused',
      );
      expect(await loosened).toBe('refused');
      await loosen(after, organisation, 3, 'v3/approver.key');
      for (const device of devices) await reach(device, 3);
    },
  );
});

const FLOOR = `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: floor }
spec:
  limit: { resources: { timeout: 8h } }
  deny: { network: { hosts: [{ host: "*.pastebin.com" }] } }
`;

describe('below the threshold of the root', () => {
  it(
    'nobody makes a new root; everything else goes on, a new floor too, which devices take and never give back for an older one',
    { timeout: 180_000 },
    async () => {
      const organisation = await running();
      const { site, devices, at, plane } = organisation;
      const two = ['root-2.key', 'root-3.key'];
      for (const name of two) fs.rmSync(at('org', name));
      const alone = ['--organisation', organisation.file('org'), '--with', at('org/root-1.key')];
      for (const change of [['rotate', 'root'], ['rotate', 'checkpoint'], ['raise-epoch']]) {
        const { stderr } = await cordonctl(['keys', ...change, ...alone, '--out', at('x')]);
        expect(stderr).toContain('[root.threshold]');
        expect(fs.readdirSync(at('x'))).toEqual([]);
      }
      const { stdout } = await cordonctl(['recover', 'root-below-threshold']);
      expect(stdout).toContain('cordonctl keys init');

      const late = await join(plane, 'late');
      await loosen(plane, organisation, 2);
      for (const device of [...devices, late]) await reach(device, 2);
      await plane.close();
      fs.writeFileSync(at('floor.yaml'), FLOOR);
      const sign = [
        '--organisation',
        organisation.file('org'),
        '--with',
        at('org/floor.key'),
        '--floor',
        at('floor.yaml'),
        '--out',
        at('f2'),
      ];
      expect(await ctl('floor', 'sign', ...sign)).toContain('*.pastebin.com');
      const after = await start(site, at('f2/server'));
      for (const device of [...devices, late])
        await expect.poll(() => device.inForce()?.floor.spec.limit?.resources?.timeout, { timeout: 60_000 }).toBe('8h');
      await after.close();

      await expect(start(site, at('org/server'))).rejects.toMatchObject({ code: 'organisation.floor-older' });
      const { floor } = JSON.parse(fs.readFileSync(organisation.file('org'), 'utf8')) as { floor: string };
      expect(await late.state.onRoots({ type: 'roots', after: 1, roots: [], floor }, new Date())).toMatchObject({ code: 'floor.rollback' });
      await start(site);
      for (const device of [...devices, late]) await reach(device, 2);
    },
  );
});
