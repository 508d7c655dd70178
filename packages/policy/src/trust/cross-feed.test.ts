/** Every kind of signed object offered to everyone who opens one: only the diagonal passes. One key signs all, so that nothing but the kind can tell. */
import { describe, expect, it } from 'vitest';
import type { ApprovalPayload } from '../approval/approval.ts';
import { verifyApproval } from '../approval/signed-approval.ts';
import { codeOf } from './_refusal.ts';
import { createWorld, FLEET, floorPayload, keyNamed, keysFor, rolesWithWitnesses, rootDocument, stateFor } from './_world.ts';
import { openCompact, openGeneral, signCompact, signGeneral, type ObjectType } from './envelope.ts';
import { verifyFloor } from './floor.ts';
import { verifyRootChain } from './root.ts';
import { verifyState } from './verify.ts';

const TYPES: Readonly<Record<ObjectType, true>> = {
  'cordon-root+jws': true,
  'cordon-floor+jws': true,
  'cordon-bundle+jws': true,
  'cordon-checkpoint+jws': true,
  'cordon-witness+jws': true,
  'cordon-maintenance+jws': true,
  'cordon-retirement+jws': true,
  'cordon-retired+jws': true,
  'cordon-approval+jws': true,
  'cordon-enroll+jws': true,
  'cordon-rekey+jws': true,
  'cordon-session+jws': true,
  'cordon-head+jws': true,
  'cordon-run+jws': true,
  'cordon-run-token+jwt': true,
  'cordon-package+jws': true,
};
const types = Object.keys(TYPES) as ObjectType[];
const pairs = types.flatMap((offered) => types.map((wanted) => [offered, wanted] as const));
const key = keyNamed('everything');
const keys = new Map([[key.kid, key.jwk]]);

describe('signed objects offered to each other’s verifiers', () => {
  it.each(pairs)('%s as %s', async (offered, wanted) => {
    const [compact, general] = [await signCompact({ a: 1 }, offered, key), await signGeneral({ a: 1 }, offered, [key])];
    const outcome = offered === wanted ? 'accepted' : 'jws.typ';
    expect(await codeOf(() => openCompact(compact, { typ: wanted, keys, maxBytes: 4096 }))).toBe(outcome);
    expect(await codeOf(() => openGeneral(general, { typ: wanted, keys, maxBytes: 4096 }))).toBe(outcome);
    // Nor does one serialisation pass as the other.
    expect(await codeOf(() => openCompact(general, { typ: wanted, keys, maxBytes: 4096 }))).toBe('jws.encoding');
    expect(await codeOf(() => openGeneral(compact, { typ: wanted, keys, maxBytes: 4096 }))).toBe('json.refused');
  });
});

const approvalOf = (at: Date): ApprovalPayload => ({
  format: 'cordon-approval/1',
  org: 'org_a',
  epoch: 3,
  from: null,
  to: 'a'.repeat(64),
  issuedAt: at.toISOString(),
  expiresAt: new Date(at.getTime() + 60_000).toISOString(),
  wayBackUntil: null,
});

describe('signed objects offered to the places that take them', async () => {
  const world = await createWorld('org_a');
  const input = await stateFor(world, FLEET, 0);
  const root = await verifyRootChain(world.roots, world.fingerprint, input.now);
  /** Each place signs its own honest payload with the right keys, under the type that is offered. */
  const places: Readonly<Record<string, { readonly own: ObjectType; readonly offer: (typ: ObjectType) => Promise<unknown> }>> = {
    'the root chain': {
      own: 'cordon-root+jws',
      offer: async (typ) =>
        verifyRootChain([await signGeneral(rootDocument('org_a'), typ, keysFor('org_a', 'root'))], world.fingerprint, input.now),
    },
    'the floor': {
      own: 'cordon-floor+jws',
      offer: async (typ) => verifyFloor(await signGeneral(floorPayload('org_a'), typ, keysFor('org_a', 'floor')), root),
    },
    'an approval': {
      own: 'cordon-approval+jws',
      offer: async (typ) => verifyApproval(await signGeneral(approvalOf(input.now), typ, keysFor('org_a', 'approver')), root, input.now),
    },
    "a state's checkpoint": {
      own: 'cordon-checkpoint+jws',
      offer: async (typ) =>
        verifyState({ ...input, frame: { ...input.frame, checkpoint: await again(input.frame.checkpoint, typ, 'checkpoint') } }),
    },
    "a membership's checkpoint": {
      own: 'cordon-checkpoint+jws',
      offer: async (typ) =>
        verifyState({
          ...input,
          membership: { ...input.membership, checkpoint: await again(input.membership.checkpoint, typ, 'checkpoint') },
        }),
    },
    'a cosignature': {
      own: 'cordon-witness+jws',
      offer: async (typ) => {
        const strict = await createWorld('org_a', { roles: rolesWithWitnesses('org_a') });
        const theirs = await stateFor(strict, FLEET, 0);
        const [first = '', second = ''] = theirs.frame.witness ?? [];
        return verifyState({ ...theirs, frame: { ...theirs.frame, witness: [await again(first, typ, 'witness'), second] } });
      },
    },
    'the manifest': {
      own: 'cordon-bundle+jws',
      offer: async (typ) =>
        verifyState({ ...input, frame: { ...input.frame, manifest: await again(input.frame.manifest, typ, 'policy') } }),
    },
  };
  const again = (jws: string, typ: ObjectType, role: 'checkpoint' | 'policy' | 'witness'): Promise<string> => {
    const payload = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8')) as object;
    return signCompact(payload, typ, keysFor('org_a', role)[0] ?? key);
  };

  it.each(Object.entries(places).flatMap(([place, { own, offer }]) => types.map((typ) => [typ, place, own, offer] as const)))(
    '%s as %s',
    async (typ, _place, own, offer) => {
      expect(await codeOf(() => offer(typ))).toBe(typ === own ? 'accepted' : 'jws.typ');
    },
  );

  it('a manifest as checkpoint and a checkpoint as manifest, each as it was sent', async () => {
    const { manifest, checkpoint } = input.frame;
    expect(await codeOf(() => verifyState({ ...input, frame: { ...input.frame, checkpoint: manifest } }))).toBe('jws.typ');
    expect(await codeOf(() => verifyState({ ...input, frame: { ...input.frame, manifest: checkpoint } }))).toBe('jws.typ');
  });
});
