import { sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_refusal.ts';
import { after, DAY, keyNamed, keysFor, rootDocument } from './_world.ts';
import { sha256Base64Url } from './digest.ts';
import { signGeneral } from './envelope.ts';
import type { KeyPair } from './keys.ts';
import { rootFingerprint, verifyRootChain, type RootDocument } from './root.ts';

const NOW = after(0);
const [a, b, c] = keysFor('org_a', 'root') as [KeyPair, KeyPair, KeyPair];
const [d, e] = [keyNamed('new root key d'), keyNamed('new root key e')];
const mallory = keyNamed('mallory');

const jwks = (...pairs: readonly KeyPair[]): KeyPair['jwk'][] => pairs.map(({ jwk }) => jwk);
const signed = (document: object, ...by: readonly KeyPair[]): Promise<string> => signGeneral(document, 'cordon-root+jws', by);
/** A document of a version whose root keys are these. */
const version = (n: number, keys: readonly KeyPair[], change: Partial<RootDocument> = {}, threshold = 2): RootDocument => {
  const document = rootDocument('org_a', { version: n, ...change });
  return { ...document, roles: { ...document.roles, root: { threshold, keys: jwks(...keys) } } };
};
const withRole = (name: keyof RootDocument['roles'], change: object): object => {
  const document = version(1, [a, b, c]);
  return { ...document, roles: { ...document.roles, [name]: { ...document.roles[name], ...change } } };
};

const V1 = await signed(version(1, [a, b, c]), a, b);
const PRINT = rootFingerprint(V1);
const chain = (...roots: readonly string[]): Promise<string> => codeOf(() => verifyRootChain(roots, PRINT, NOW));
/** One root that is its own beginning: whoever holds its fingerprint. */
const alone = (text: string, now = NOW): Promise<string> => codeOf(() => verifyRootChain([text], rootFingerprint(text), now));

describe('a root document', () => {
  it('names the keys of each role by thumbprint', async () => {
    const root = await verifyRootChain([V1], PRINT, NOW);
    expect(root.document).toEqual(version(1, [a, b, c]));
    for (const role of ['root', 'floor', 'approver', 'policy', 'checkpoint', 'identity'] as const)
      expect([...root.keys(role)]).toEqual(keysFor('org_a', role).map(({ kid, jwk }) => [kid, jwk]));
  });

  it('is known by the hash of its payload, whoever signed it and in whatever order', async () => {
    const document = version(1, [a, b, c]);
    expect(PRINT).toBe(sha256Base64Url(JSON.stringify(document)));
    expect(rootFingerprint(await signed(document, c, b, a))).toBe(PRINT);
    expect(rootFingerprint(await signed({ ...document, epoch: 4 }, a, b))).not.toBe(PRINT);
  });

  it('is refused under another fingerprint, however well it is signed', async () => {
    const other = await signed({ ...version(1, [a, b, c]), epoch: 4 }, a, b, c);
    expect(await chain(other)).toBe('root.fingerprint');
    expect(await codeOf(() => verifyRootChain([V1], '', NOW))).toBe('root.fingerprint');
  });

  it('needs its threshold of distinct keys, not of signatures', async () => {
    const document = version(1, [a, b, c]);
    expect(await alone(await signed(document, a, b))).toBe('accepted');
    expect(await alone(await signed(document, a))).toBe('root.threshold');
    expect(await alone(await signed(document, a, a, a))).toBe('root.threshold');
    expect(await alone(await signed(document, a, mallory, keyNamed('x')))).toBe('root.threshold');
    expect(await alone(await signed(version(1, [a, b, c], {}, 3), a, b))).toBe('root.threshold');
    expect(await alone(await signed(version(1, [a, b, c], {}, 3), a, b, c))).toBe('accepted');
    expect(await alone(await signed(version(1, [a], {}, 1), a))).toBe('accepted');
  });

  it('is not signed by keys of its other roles', async () => {
    const [approver] = keysFor('org_a', 'approver');
    expect(await alone(await signed(version(1, [a, b, c]), a, approver ?? a))).toBe('root.threshold');
  });

  it('is refused as a whole when one of its keys signed something else', async () => {
    const { payload, signatures } = JSON.parse(V1) as { payload: string; signatures: { protected: string; signature: string }[] };
    const [first] = signatures;
    const forged = {
      protected: first?.protected ?? '',
      signature: sign(null, Buffer.from('something else'), a.privateKey).toString('base64url'),
    };
    expect(await chain(JSON.stringify({ payload, signatures: [...signatures, forged] }))).toBe('jws.signature');
  });

  it.each<readonly [why: string, document: object, code: string]>([
    ['another format', { ...version(1, [a, b, c]), format: 'cordon-root/2' }, 'root.schema'],
    ['an extra member', { ...version(1, [a, b, c]), delegations: [] }, 'root.schema'],
    ['a missing member', { ...version(1, [a, b, c]), epoch: undefined }, 'root.schema'],
    ['version 0', { ...version(1, [a, b, c]), version: 0 }, 'root.schema'],
    ['a broken version', { ...version(1, [a, b, c]), version: 1.5 }, 'root.schema'],
    ['an epoch below 0', { ...version(1, [a, b, c]), epoch: -1 }, 'root.schema'],
    ['no organisation', { ...version(1, [a, b, c]), org: '' }, 'root.schema'],
    ['an expiry that is no time', { ...version(1, [a, b, c]), expiresAt: 'never' }, 'root.schema'],
    ['an expiry of a month that is none', { ...version(1, [a, b, c]), expiresAt: '2099-13-01T00:00:00.000Z' }, 'root.schema'],
    ['an expiry in local time', { ...version(1, [a, b, c]), expiresAt: '2099-01-01T00:00:00.000' }, 'root.schema'],
    ['a role without keys', withRole('floor', { keys: [] }), 'root.schema'],
    ['a role with 17 keys', withRole('floor', { keys: Array.from({ length: 17 }, (_, i) => keyNamed(`floor ${i}`).jwk) }), 'root.schema'],
    ['a threshold of 0', withRole('floor', { threshold: 0 }), 'root.schema'],
    ['a threshold that no key reaches', withRole('floor', { threshold: 3 }), 'root.keys'],
    ['two signatures demanded of manifests, which carry one', withRole('policy', { threshold: 2 }), 'root.schema'],
    ['two signatures demanded of checkpoints, which carry one', withRole('checkpoint', { threshold: 2 }), 'root.schema'],
    ['two signatures demanded of identities, which carry one', withRole('identity', { threshold: 2 }), 'root.schema'],
    ['a key twice in a role', withRole('root', { keys: jwks(a, b, a) }), 'root.keys'],
    ['a key in two roles', withRole('checkpoint', { keys: jwks(keyNamed('org_a policy 0')) }), 'root.keys'],
    ['an online key that is a root key too', withRole('policy', { keys: jwks(a) }), 'root.keys'],
    ['a key with a kid', withRole('identity', { keys: [{ ...mallory.jwk, kid: mallory.kid }] }), 'root.schema'],
    ['a private key', withRole('identity', { keys: [{ ...mallory.jwk, d: mallory.jwk.x }] }), 'root.schema'],
    ['a key of another curve', withRole('identity', { keys: [{ ...mallory.jwk, crv: 'X25519' }] }), 'root.schema'],
    [
      'a key of small order, even in a role that is not used yet',
      withRole('identity', { keys: [{ ...mallory.jwk, x: `AQ${'A'.repeat(41)}` }] }),
      'key.refused',
    ],
  ])('is refused with %s', async (_why, document, code) => {
    expect(await alone(await signed(document, a, b, c))).toBe(code);
  });

  it('holds until its expiry and not at it', async () => {
    const document = version(1, [a, b, c], { expiresAt: after(DAY).toISOString() });
    const text = await signed(document, a, b);
    expect(await alone(text, after(DAY - 1))).toBe('accepted');
    expect(await alone(text, after(DAY))).toBe('root.expired');
    expect(await alone(text, new Date(Number.NaN))).toBe('root.expired');
  });

  it('is refused when it is longer than a root may be', async () => {
    expect(await chain(V1 + ' '.repeat(65_536))).toBe('json.too-large');
  });
});

describe('a chain of roots', () => {
  it('is refused when it is empty or longer than 256, and walked up to that', async () => {
    expect(await chain()).toBe('root.chain');
    expect(await chain(...Array.from({ length: 257 }, () => V1))).toBe('root.chain');
    const roots = await Promise.all(Array.from({ length: 256 }, (_, i) => signed(version(i + 1, [a], {}, 1), a)));
    const { document } = await verifyRootChain(roots, rootFingerprint(roots[0] ?? ''), NOW);
    expect(document.version).toBe(256);
  });

  it('rotates keys when the next version is signed by enough of the old and enough of the new', async () => {
    const v2 = await signed(version(2, [c, d, e]), a, c, d);
    const root = await verifyRootChain([V1, v2], PRINT, NOW);
    expect([...root.keys('root').keys()]).toEqual([c.kid, d.kid, e.kid]);
    const v3 = await signed(version(3, [d, e]), d, e);
    expect(await chain(V1, v2, v3)).toBe('accepted');
  });

  it.each<readonly [why: string, by: readonly KeyPair[]]>([
    ['only the old keys', [a, b, c]],
    ['only the new keys', [d, e]],
    ['enough new keys and one old one', [a, d, e]],
    ['enough old keys and one new one', [a, b, d]],
    ['one old key twice and the new ones', [a, a, d, e]],
    ['an outsider instead of the second old key', [a, mallory, d, e]],
  ])('refuses a rotation from a, b, c to d, e that is signed by %s', async (_why, by) => {
    expect(await chain(V1, await signed(version(2, [d, e]), ...by))).toBe('root.threshold');
  });

  it('never lets a key that was rotated out sign again', async () => {
    const v2 = await signed(version(2, [c, d]), a, b, c, d);
    expect(await chain(V1, v2, await signed(version(3, [a, b]), a, b))).toBe('root.threshold');
    expect(await chain(V1, v2, await signed(version(3, [c, d]), a, b, c))).toBe('root.threshold');
    expect(await chain(V1, v2, await signed(version(3, [c, d]), c, d))).toBe('accepted');
  });

  it('demands the threshold of the old version when the new one lowers it', async () => {
    const lowered = version(2, [a, b, c], {}, 1);
    expect(await chain(V1, await signed(lowered, a))).toBe('root.threshold');
    expect(await chain(V1, await signed(lowered, a, b))).toBe('accepted');
  });

  it('demands the threshold of the new version when it raises it', async () => {
    const raised = version(2, [a, b, c], {}, 3);
    expect(await chain(V1, await signed(raised, a, b))).toBe('root.threshold');
    expect(await chain(V1, await signed(raised, a, b, c))).toBe('accepted');
  });

  it.each([1, 3, 257, Number.MAX_SAFE_INTEGER])('goes on with version 2 and not with %s', async (n) => {
    expect(await chain(V1, await signed(version(n, [a, b, c]), a, b))).toBe('root.version');
  });

  it('does not begin anywhere but at the fingerprint', async () => {
    const v2 = await signed(version(2, [a, b, c]), a, b);
    expect(await chain(v2)).toBe('root.fingerprint');
    expect(await chain(v2, V1)).toBe('root.fingerprint');
  });

  it('stays with its organisation', async () => {
    expect(await chain(V1, await signed(version(2, [a, b, c], { org: 'org_b' }), a, b))).toBe('root.org');
  });

  it('lets the epoch rise and never fall', async () => {
    expect(await chain(V1, await signed(version(2, [a, b, c], { epoch: 4 }), a, b))).toBe('accepted');
    expect(await chain(V1, await signed(version(2, [a, b, c], { epoch: 2 }), a, b))).toBe('root.epoch');
  });

  it('may have expired on the way, but not at its end', async () => {
    const past = { expiresAt: after(-1).toISOString() };
    const old = await signed(version(1, [a, b, c], past), a, b);
    const next = await signed(version(2, [a, b, c]), a, b);
    expect(await codeOf(() => verifyRootChain([old, next], rootFingerprint(old), NOW))).toBe('accepted');
    expect(await codeOf(() => verifyRootChain([old], rootFingerprint(old), NOW))).toBe('root.expired');
    expect(await chain(V1, await signed(version(2, [a, b, c], past), a, b))).toBe('root.expired');
  });

  it('checks the schema and the keys of every version, not only of the last', async () => {
    const twice = { ...version(2, [a, b, c]), roles: { ...version(2, [a, b, c]).roles, policy: { threshold: 1, keys: jwks(d, d) } } };
    const v3 = await signed(version(3, [a, b, c]), a, b);
    expect(await chain(V1, await signed(twice, a, b), v3)).toBe('root.keys');
    expect(await chain(V1, await signed({ ...version(2, [a, b, c]), more: 1 }, a, b), v3)).toBe('root.schema');
  });
});
