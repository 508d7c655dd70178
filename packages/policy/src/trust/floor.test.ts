import { describe, expect, it } from 'vitest';
import { codeOf } from './_refusal.ts';
import { createWorld, floorPayload, ISSUED, keyNamed, keysFor, policyDocument } from './_world.ts';
import { signGeneral } from './envelope.ts';
import { verifyFloor } from './floor.ts';
import type { KeyPair } from './keys.ts';
import { verifyRootChain } from './root.ts';

const world = await createWorld('org_a');
const root = await verifyRootChain(world.roots, world.fingerprint, ISSUED);
const [a, b] = keysFor('org_a', 'floor') as [KeyPair, KeyPair];
const signed = (payload: object, ...by: readonly KeyPair[]): Promise<string> => signGeneral(payload, 'cordon-floor+jws', by);
const outcome = async (payload: object, ...by: readonly KeyPair[]): Promise<string> => {
  const text = await signed(payload, ...(by.length === 0 ? [a, b] : by));
  return codeOf(() => verifyFloor(text, root));
};
const PAYLOAD = floorPayload('org_a');

describe('the floor', () => {
  it('is the document that enough floor keys signed', async () => {
    expect(await verifyFloor(world.floor, root)).toEqual({ version: 1, document: PAYLOAD.document });
  });

  it.each<readonly [why: string, by: readonly KeyPair[]]>([
    ['one key', [a]],
    ['one key twice', [a, a]],
    ['one key and an outsider', [a, keyNamed('mallory')]],
    ['one key and an online key', [a, keyNamed('org_a policy 0')]],
    ['root keys', keysFor('org_a', 'root')],
    ['the floor keys of another organisation', keysFor('org_b', 'floor')],
  ])('is refused when signed by %s', async (_why, by) => {
    expect(await outcome(PAYLOAD, ...by)).toBe('floor.threshold');
  });

  it('is refused when it allows anything, even an empty list', async () => {
    for (const allow of [{}, { filesystem: { read: ['/srv'] } }, { filesystem: { read: [] } }])
      expect(await outcome({ ...PAYLOAD, document: policyDocument('floor', { allow, deny: {} }) })).toBe('floor.allow');
  });

  it('is refused when it is only watched', async () => {
    expect(await outcome({ ...PAYLOAD, document: policyDocument('floor', { mode: 'audit', deny: {} }) })).toBe('floor.mode');
    expect(await outcome({ ...PAYLOAD, document: policyDocument('floor', { mode: 'enforce', deny: {} }) })).toBe('accepted');
  });

  it.each<readonly [why: string, payload: object, code: string]>([
    ['another organisation', { ...PAYLOAD, org: 'org_b' }, 'floor.org'],
    ['another format', { ...PAYLOAD, format: 'cordon-floor/2' }, 'floor.schema'],
    ['an extra member', { ...PAYLOAD, expiresAt: ISSUED.toISOString() }, 'floor.schema'],
    ['a version below 1', { ...PAYLOAD, version: 0 }, 'floor.schema'],
    ['no document', { ...PAYLOAD, document: undefined }, 'floor.schema'],
    ['a document with an unknown key', { ...PAYLOAD, document: { ...PAYLOAD.document, spec: { alow: {} } } }, 'floor.schema'],
    ['a document of another language version', { ...PAYLOAD, document: { ...PAYLOAD.document, apiVersion: 'cordon/v2' } }, 'floor.schema'],
    ['the payload of a root', world.root, 'floor.schema'],
  ])('is refused with %s', async (_why, payload, code) => {
    expect(await outcome(payload)).toBe(code);
  });

  it('is not read before it is signed', async () => {
    expect(await outcome({ hostile: true }, a)).toBe('floor.threshold');
  });

  it('is refused when it is too long', async () => {
    const text = (await signed(PAYLOAD, a, b)) + ' '.repeat(262_144);
    expect(await codeOf(() => verifyFloor(text, root))).toBe('json.too-large');
  });
});
