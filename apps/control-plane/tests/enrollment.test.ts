import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import { parseToken } from '@cordon/policy/trust/token.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enrolDevice, newKey, someFacts, startPlane, type Answer, type TestPlane } from './_util.ts';

let test: TestPlane;
beforeAll(async () => {
  test = await startPlane();
});
afterAll(() => test.close());

const newToken = async (body: object = {}): Promise<{ id: string; token: string }> => {
  const made = await test.admin<{ id: string; token: string }>('POST', '/enrollment-tokens', { body: { name: 'test', ...body } });
  expect(made.status).toBe(201);
  return made.body;
};
const refusal = ({ status, body }: Answer<{ code: string }>): [number, string] => [status, body.code];

describe('enrollment', () => {
  it('makes a device of token and key, in the group of the token, at the next place of the members tree', async () => {
    const group = await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'laptops', membership: 'open' } });
    const { token } = await newToken({ groupId: group.body.id, maxUses: 2 });
    const root = await test.device<{ org: string; roots: string[] }>('GET', '/root');
    await verifyRootChain(root.body.roots, parseToken(token).fingerprint, new Date());
    const [first, second] = [await enrolDevice(test, token, newKey()), await enrolDevice(test, token, newKey())];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.body.memberIndex).toBe(first.body.memberIndex + 1);
    const device = await test.admin<{ name: string; groups: { id: string }[]; compliance: string }>('GET', `/devices/${first.body.device}`);
    expect(device.body).toMatchObject({ name: 'laptop', groups: [{ id: group.body.id }], compliance: 'Unknown' });
    const placed = await test.plane.context.prisma.device.findUniqueOrThrow({ where: { id: first.body.device } });
    expect(placed.cohortId).not.toBeNull();
  });

  it('keeps only the public half of the token', async () => {
    const { id, token } = await newToken();
    const stored = await test.plane.context.prisma.enrollmentToken.findUniqueOrThrow({ where: { id } });
    const seed = token.split('.')[2] ?? '';
    expect(stored.publicKey).toBe(keyPairFromSeed(Buffer.from(seed, 'base64url')).jwk.x);
    expect(JSON.stringify(stored)).not.toContain(seed);
    const audit = await test.admin('GET', `/audit?subject=${id}`);
    expect(JSON.stringify(audit.body)).not.toContain(seed);
  });

  it('lets exactly one of fifty devices use a token of one use at once', async () => {
    const { id, token } = await newToken();
    const answers = await Promise.all(Array.from({ length: 50 }, () => enrolDevice(test, token, newKey())));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) expect(refusal(answer)).toEqual([403, 'enroll.token-used']);
    expect((await test.plane.context.prisma.enrollmentToken.findUniqueOrThrow({ where: { id } })).uses).toBe(1);
    expect(await test.plane.context.prisma.device.count({ where: { enrollmentTokenId: id } })).toBe(1);
  });

  it('gives the same answer to the same key again, also at once, and uses the token once', async () => {
    const { id, token } = await newToken();
    const key = newKey();
    const answers = await Promise.all(Array.from({ length: 8 }, () => enrolDevice(test, token, key)));
    answers.push(await enrolDevice(test, token, key));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(answers.map(({ body }) => body.device)).size).toBe(1);
    expect((await test.plane.context.prisma.enrollmentToken.findUniqueOrThrow({ where: { id } })).uses).toBe(1);
  });

  it('refuses a token that is used, revoked or expired, and says which', async () => {
    const used = await newToken();
    expect((await enrolDevice(test, used.token, newKey())).status).toBe(200);
    expect(refusal(await enrolDevice(test, used.token, newKey()))).toEqual([403, 'enroll.token-used']);
    const revoked = await newToken();
    expect((await test.admin('DELETE', `/enrollment-tokens/${revoked.id}`)).status).toBe(204);
    expect(refusal(await enrolDevice(test, revoked.token, newKey()))).toEqual([403, 'enroll.token-revoked']);
    const expired = await newToken();
    await test.plane.context.prisma.enrollmentToken.update({ where: { id: expired.id }, data: { expiresAt: new Date(Date.now() - 1) } });
    expect(refusal(await enrolDevice(test, expired.token, newKey()))).toEqual([403, 'enroll.token-expired']);
  });

  it('refuses wrong keys, missing or extra signatures, other organisations and foreign challenges alike', async () => {
    const { token } = await newToken();
    const tokenKey = parseToken(token).keyPair;
    const key = newKey();
    const wrong = [
      enrolDevice(test, token, key, { signers: [newKey(), key] }),
      enrolDevice(test, token, key, { signers: [tokenKey] }),
      enrolDevice(test, token, key, { signers: [key] }),
      enrolDevice(test, token, key, { signers: [tokenKey, key, newKey()] }),
      enrolDevice(test, token, key, { signers: [tokenKey, key, key] }),
      enrolDevice(test, token, key, { org: 'org_another' }),
      enrolDevice(test, token, key, { nonce: 'A'.repeat(43) }),
      enrolDevice(test, token, tokenKey),
    ];
    for (const answer of await Promise.all(wrong)) expect(refusal(answer)).toEqual([401, 'enroll.refused']);
    const other = await test.device<{ nonce: string }>('POST', '/enroll/challenge', { token: parseToken(token).id, jwk: newKey().jwk });
    expect(refusal(await enrolDevice(test, token, key, { nonce: other.body.nonce }))).toEqual([401, 'enroll.refused']);
    expect((await enrolDevice(test, token, key)).status).toBe(200);
  });

  it('refuses unknown members, weak keys and facts that are not facts, with the place', async () => {
    const { token } = await newToken();
    const key = newKey();
    const extra = await test.device<{ code: string; detail: string }>('POST', '/enroll/challenge', {
      token: parseToken(token).id,
      jwk: key.jwk,
      admin: true,
    });
    expect([extra.status, extra.body.code, extra.body.detail]).toEqual([
      400,
      'request.invalid',
      'body/admin is not known here; remove it or mend its name',
    ]);
    const weak = await test.device<{ code: string }>('POST', '/enroll/challenge', {
      token: parseToken(token).id,
      jwk: { kty: 'OKP', crv: 'Ed25519', x: `AQ${'A'.repeat(41)}` },
    });
    expect(refusal(weak)).toEqual([400, 'key.refused']);
    expect(refusal(await enrolDevice(test, token, key, { facts: { ...someFacts('x'), admin: true } }))).toEqual([400, 'enroll.statement']);
    expect((await test.device('POST', '/enroll', { jwk: key.jwk, statement: 'x'.repeat(70_000) })).status).toBe(413);
  });

  it('does not let a key become two devices', async () => {
    const [one, two] = [await newToken(), await newToken()];
    const key = newKey();
    expect((await enrolDevice(test, one.token, key)).status).toBe(200);
    expect(refusal(await enrolDevice(test, two.token, key))).toEqual([409, 'enroll.key-known']);
  });
});
