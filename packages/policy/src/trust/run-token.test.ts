import { createLocalJWKSet, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_refusal.ts';
import { keyNamed } from './_world.ts';
import { signCompact, type ObjectType } from './envelope.ts';
import { admit } from './keys.ts';
import { audienceOf, isRunTokenClaims, openRunToken, readAudience, type RunTokenClaims } from './run-token.ts';

const [identity, policy] = [keyNamed('identity'), keyNamed('policy')];
const keys = admit(identity.jwk);
const NOW = new Date('2026-03-01T12:00:00.000Z');
const seconds = NOW.getTime() / 1000;
const RUN = 'run_0000000000000003';
const CLAIMS: RunTokenClaims = {
  iss: 'https://cordon.example',
  sub: RUN,
  aud: 'https://api.example.com',
  iat: seconds,
  nbf: seconds,
  exp: seconds + 300,
  jti: 'j'.repeat(22),
  verified: {
    organisation: 'org_a',
    epoch: 0,
    device: 'dev_0000000000000001',
    cohort: 'coh_1',
    compliance: 'Compliant',
    assurance: 'system',
    bundle: 'b'.repeat(64),
  },
  asserted: {
    run: RUN,
    parents: ['run_0000000000000001'],
    user: { name: 'ada', kind: 'local' },
    agent: { id: 'claude-code', proof: 'proven' },
    delivery: 'workload',
  },
};
const sign = (claims: object, typ: ObjectType = 'cordon-run-token+jwt', key = identity): Promise<string> => signCompact(claims, typ, key);

describe('the token of a run', () => {
  it('is opened by its issuer while it lasts', async () => {
    expect(await openRunToken(await sign(CLAIMS), keys, NOW)).toEqual(CLAIMS);
    expect(await codeOf(async () => openRunToken(await sign(CLAIMS), keys, new Date((seconds + 299) * 1000)))).toBe('accepted');
  });

  it('is verified by a third party with nothing but a JOSE library and the published keys', async () => {
    const jwks = createLocalJWKSet({ keys: [{ ...identity.jwk, kid: identity.kid, use: 'sig', alg: 'Ed25519' }] });
    const expected = { issuer: CLAIMS.iss, audience: CLAIMS.aud, typ: 'cordon-run-token+jwt', algorithms: ['Ed25519'], currentDate: NOW };
    const { payload } = await jwtVerify(await sign(CLAIMS), jwks, expected);
    expect(payload).toEqual(CLAIMS);
    await expect(jwtVerify(await sign(CLAIMS), jwks, { ...expected, audience: 'https://other.example' })).rejects.toThrow('"aud"');
    await expect(jwtVerify(await sign(CLAIMS), jwks, { ...expected, currentDate: new Date((seconds + 301) * 1000) })).rejects.toThrow(
      '"exp"',
    );
    await expect(jwtVerify(await sign(CLAIMS, 'cordon-run-token+jwt', policy), jwks, expected)).rejects.toThrow();
    await expect(jwtVerify(await sign(CLAIMS, 'cordon-head+jws'), jwks, expected)).rejects.toThrow('"typ"');
  });

  it.each<readonly [what: string, token: () => Promise<string>, at: Date, code: string]>([
    ['under a key of another role', () => sign(CLAIMS, 'cordon-run-token+jwt', policy), NOW, 'jws.key'],
    ['as another kind of object', () => sign(CLAIMS, 'cordon-session+jws'), NOW, 'jws.typ'],
    ['in the second in which it ends', () => sign(CLAIMS), new Date((seconds + 300) * 1000), 'run-token.expired'],
    ['long before it begins', () => sign(CLAIMS), new Date((seconds - 61) * 1000), 'run-token.future'],
    ['that would live longer', () => sign({ ...CLAIMS, exp: seconds + 301 }), NOW, 'run-token.schema'],
    ['of another run than it is about', () => sign({ ...CLAIMS, sub: 'run_0000000000000009' }), NOW, 'run-token.schema'],
    ['with claims that nobody made', () => sign({ ...CLAIMS, scope: 'admin' }), NOW, 'run-token.schema'],
    ['for two audiences', () => sign({ ...CLAIMS, aud: [CLAIMS.aud, 'https://b.example'] }), NOW, 'run-token.schema'],
  ])('is refused %s', async (_what, token, at, code) => {
    expect(await codeOf(async () => openRunToken(await token(), keys, at))).toBe(code);
  });

  it('says compliant or is none, keeps what is verified apart from what is asserted, and names no run as its own parent', () => {
    expect(isRunTokenClaims(CLAIMS)).toBe(true);
    expect(isRunTokenClaims({ ...CLAIMS, verified: { ...CLAIMS.verified, compliance: 'InGrace' } })).toBe(false);
    expect(isRunTokenClaims({ ...CLAIMS, verified: { ...CLAIMS.verified, user: CLAIMS.asserted.user } })).toBe(false);
    expect(isRunTokenClaims({ ...CLAIMS, asserted: { ...CLAIMS.asserted, parents: [RUN] } })).toBe(false);
    expect(isRunTokenClaims({ ...CLAIMS, nbf: seconds - 1 })).toBe(false);
    expect(isRunTokenClaims({ ...CLAIMS, exp: seconds })).toBe(false);
  });
});

describe('an audience', () => {
  it.each([
    ['api.example.com', 'https://api.example.com'],
    ['https://API.Example.com/', 'https://api.example.com'],
    ['münchen.example', 'https://xn--mnchen-3ya.example'],
    ['2001:db8::1', 'https://[2001:db8::1]'],
  ])('%s is %s', (text, audience) => expect(readAudience(text)).toBe(audience));

  it.each([
    '*',
    '*.example.com',
    '',
    'https://api.example.com/admin',
    'api.example.com:8443',
    'me@api.example.com',
    '0x7f.1',
    'http://api.example.com',
  ])('%s is none', async (text) => expect(await codeOf(() => readAudience(text))).toBe('host.invalid'));

  it('is one host', async () => expect(await codeOf(() => audienceOf('*.example.com'))).toBe('host.invalid'));
});
