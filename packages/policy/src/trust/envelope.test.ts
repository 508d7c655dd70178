import { sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { alice, b64, bob, compactOf, EXPECTED, headOf, mallory, PAYLOAD, TYP } from './_jws.ts';
import { codeOf } from './_refusal.ts';
import { openCompact, signCompact } from './envelope.ts';
import { admit, thumbprint } from './keys.ts';

const open = (jws: string): Promise<string> => codeOf(() => openCompact(jws, EXPECTED));

describe('a compact JWS', () => {
  it('opens to the payload, its exact text and the key that signed', async () => {
    const opened = await openCompact(await signCompact({ b: 'é', a: [1] }, TYP, bob), EXPECTED);
    expect(opened).toEqual({ payload: { b: 'é', a: [1] }, payloadText: '{"b":"é","a":[1]}', kid: bob.kid });
  });

  it('may be signed by a key that stays where it is, and not by something that is no signature', async () => {
    const asked: string[] = [];
    const away = {
      kid: bob.kid,
      sign: async (bytes: Uint8Array) => {
        asked.push(Buffer.from(bytes).toString());
        return new Uint8Array(sign(null, bytes, bob.privateKey));
      },
    };
    const jws = await signCompact({ a: 1 }, TYP, away);
    expect(jws).toBe(await signCompact({ a: 1 }, TYP, bob));
    expect(asked).toEqual([jws.split('.').slice(0, 2).join('.')]);
    expect(await open(jws)).toBe('accepted');
    expect(await codeOf(() => signCompact({ a: 1 }, TYP, { kid: bob.kid, sign: async () => new Uint8Array(63) }))).toBe('jws.signer');
    expect(await open(await signCompact({ a: 1 }, TYP, { kid: bob.kid, sign: async () => new Uint8Array(64) }))).toBe('jws.signature');
  });

  it('opens in whatever order and with whatever white space its header was written', async () => {
    for (const text of [
      `{"typ":"${TYP}","kid":"${alice.kid}","alg":"Ed25519"}`,
      `{ "kid" : "${alice.kid}" ,\n"alg":"Ed25519","typ":"${TYP}" }`,
    ])
      expect(await open(compactOf(b64(text), b64('{}')))).toBe('accepted');
  });

  it.each<readonly [why: string, change: object, code: string]>([
    ['no algorithm', { alg: undefined }, 'jws.header'],
    ['no kid', { kid: undefined }, 'jws.header'],
    ['no typ', { typ: undefined }, 'jws.header'],
    ['the algorithm none', { alg: 'none' }, 'jws.alg'],
    ['the algorithm EdDSA, which names no curve', { alg: 'EdDSA' }, 'jws.alg'],
    ['the algorithm HS256', { alg: 'HS256' }, 'jws.alg'],
    ['the algorithm ES256', { alg: 'ES256' }, 'jws.alg'],
    ['the algorithm Ed448', { alg: 'Ed448' }, 'jws.alg'],
    ['the algorithm in other letters', { alg: 'ed25519' }, 'jws.alg'],
    ['the algorithm as a list', { alg: ['Ed25519'] }, 'json.refused'],
    ['the algorithm as null', { alg: null }, 'jws.header'],
    ['another type', { typ: 'cordon-head+jws' }, 'jws.typ'],
    ['the type in other letters', { typ: TYP.toUpperCase() }, 'jws.typ'],
    ['the type with its prefix', { typ: `application/${TYP}` }, 'jws.typ'],
    ['a key in it', { jwk: mallory.jwk }, 'json.refused'],
    ['a flat key in it', { jwk: mallory.jwk.x }, 'jws.header'],
    ['an address of keys', { jku: 'https://keys.example' }, 'jws.header'],
    ['an address of a certificate', { x5u: 'https://keys.example' }, 'jws.header'],
    ['certificates', { x5c: 'MIIB' }, 'jws.header'],
    ['critical members', { crit: ['b64'] }, 'json.refused'],
    ['an empty list of critical members', { crit: [] }, 'jws.header'],
    ['an unencoded payload', { b64: false }, 'jws.header'],
    ['an encoded payload, said aloud', { b64: true }, 'jws.header'],
    ['compression', { zip: 'DEF' }, 'jws.header'],
    ['a content type', { cty: 'json' }, 'jws.header'],
    ['a member without a name', { '': 1 }, 'jws.header'],
    ['a kid that is a number', { kid: 1 }, 'jws.header'],
    ['a kid that is not a thumbprint', { kid: 'alice' }, 'jws.header'],
    ['a kid with an end of line', { kid: `${alice.kid}\n` }, 'jws.header'],
    ['a kid to confuse a terminal', { kid: `\u001b[2J${'x'.repeat(40)}` }, 'jws.header'],
    ['a kid named like a member of every object', { kid: '__proto__' }, 'jws.header'],
    ['a key that has no role', { kid: mallory.kid }, 'jws.key'],
  ])('is refused with %s in its header', async (_why, change, code) => {
    expect(await open(compactOf(headOf(alice, change), PAYLOAD))).toBe(code);
  });

  it.each<readonly [why: string, text: string, code: string]>([
    ['a member twice', `{"alg":"none","alg":"Ed25519","kid":"${alice.kid}","typ":"${TYP}"}`, 'json.refused'],
    ['a member twice through an escape', `{"alg":"Ed25519","\\u0061lg":"none","kid":"${alice.kid}","typ":"${TYP}"}`, 'json.refused'],
    ['a BOM', `\uFEFF{"alg":"Ed25519","kid":"${alice.kid}","typ":"${TYP}"}`, 'json.refused'],
    ['__proto__', `{"__proto__":{"alg":"Ed25519"},"kid":"${alice.kid}","typ":"${TYP}"}`, 'json.refused'],
    ['members whose names join to the right ones', `{"alg,kid":"Ed25519","typ":"${TYP}"}`, 'jws.header'],
    ['a list', '["alg","kid","typ"]', 'jws.header'],
    ['null', 'null', 'jws.header'],
    ['text', '"Ed25519"', 'jws.header'],
    ['more than 512 bytes', `{"alg":"Ed25519","kid":"${alice.kid}","typ":"${TYP}"${' '.repeat(512)}}`, 'json.too-large'],
    ['nothing', '', 'jws.encoding'],
  ])('is refused with a header that is %s', async (_why, text, code) => {
    expect(await open(compactOf(b64(text), b64('{}')))).toBe(code);
  });

  const good = compactOf(headOf(alice), PAYLOAD);
  const [h = '', p = '', s = ''] = good.split('.');
  /** Changes the bits after the last whole byte of a part, which a lax decoder drops. */
  const slack = (part: string): string => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return part.slice(0, -1) + (alphabet[alphabet.indexOf(part.at(-1) ?? '') ^ 1] ?? '');
  };
  it.each<readonly [why: string, jws: string, code: string]>([
    ['no part', '', 'jws.encoding'],
    ['one part', h, 'jws.encoding'],
    ['two parts', `${h}.${p}`, 'jws.encoding'],
    ['four parts', `${good}.`, 'jws.encoding'],
    ['five parts, like an encrypted object', `${good}.${p}.${p}`, 'jws.encoding'],
    ['an empty header', `.${p}.${s}`, 'jws.encoding'],
    ['an empty signature', `${h}.${p}.`, 'jws.encoding'],
    ['a space before', ` ${good}`, 'jws.encoding'],
    ['a newline after', `${good}\n`, 'jws.encoding'],
    ['padding of the signature', `${good}==`, 'jws.encoding'],
    ['padding of the header', `${h}=.${p}.${s}`, 'jws.encoding'],
    ['the other base64 alphabet', `${h}.${p}.${'+/'.repeat(43)}`, 'jws.encoding'],
    ['a percent escape', `${h}.${p}.${s.slice(0, -3)}%41`, 'jws.encoding'],
    ['letters beyond ASCII', `${h}.${p}.${s.slice(0, -1)}Ａ`, 'jws.encoding'],
    ['bits after the signature', `${h}.${p}.${slack(s)}`, 'jws.encoding'],
    ['a length that base64 does not have', `${h}.${p}.${s.slice(0, -1)}`, 'jws.encoding'],
    ['63 bytes of signature', `${h}.${p}.${b64(Buffer.from(s, 'base64url').subarray(0, 63))}`, 'jws.encoding'],
    ['65 bytes of signature', `${h}.${p}.${b64(Buffer.concat([Buffer.from(s, 'base64url'), Buffer.of(0)]))}`, 'jws.encoding'],
    ['a signature of zeros', `${h}.${p}.${b64(Buffer.alloc(64))}`, 'jws.signature'],
    ['the signature of another payload', `${h}.${b64('{"a":2}')}.${s}`, 'jws.signature'],
    ['the signature of another key of the same role', compactOf(h, p, bob), 'jws.signature'],
    ['the signature of a key without a role', compactOf(h, p, mallory), 'jws.signature'],
  ])('is refused with %s', async (_why, jws, code) => {
    expect(await open(jws)).toBe(code);
  });

  it('is refused when its signature is the same point and number written another way', async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const bytes = Buffer.from(s, 'base64url');
    const scalar = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
    const malleable = Buffer.concat([bytes.subarray(0, 32), Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse()]);
    expect(await open(`${h}.${p}.${b64(malleable)}`)).toBe('jws.signature');
  });

  it.each<readonly [why: string, payload: string, code: string]>([
    ['not JSON', b64('hello'), 'json.refused'],
    ['a member twice', b64('{"a":1,"a":2}'), 'json.refused'],
    ['a BOM', b64('\uFEFF{}'), 'json.refused'],
    ['not UTF-8', b64(Uint8Array.of(0x22, 0xff, 0x22)), 'json.refused'],
    ['33 levels', b64(`${'['.repeat(33)}1${']'.repeat(33)}`), 'json.refused'],
    ['bits after the last byte', slack(b64('{"a":12}')), 'jws.encoding'],
    ['padding', `${b64('{"a":12}')}=`, 'jws.encoding'],
    ['nothing', '', 'jws.encoding'],
  ])('is refused when what was signed is %s', async (_why, payload, code) => {
    expect(await open(compactOf(h, payload))).toBe(code);
  });

  it('is refused when it is longer than its place allows, before it is looked at', async () => {
    expect(await codeOf(() => openCompact(good, { ...EXPECTED, maxBytes: good.length }))).toBe('accepted');
    expect(await codeOf(() => openCompact(good, { ...EXPECTED, maxBytes: good.length - 1 }))).toBe('jws.size');
    expect(await open('x'.repeat(20_000))).toBe('jws.size');
  });

  it('is opened only with keys that were admitted: a weak one is none', async () => {
    const weak = { kty: 'OKP', crv: 'Ed25519', x: b64(Buffer.from([1, ...Buffer.alloc(31)])) } as const;
    const jws = compactOf(headOf(alice, { kid: thumbprint(weak) }), PAYLOAD);
    expect(await codeOf(() => openCompact(jws, { ...EXPECTED, keys: admit(weak) }))).toBe('key.refused');
  });

  it('is refused when no key has the role', async () => {
    expect(await codeOf(() => openCompact(good, { ...EXPECTED, keys: new Map() }))).toBe('jws.key');
  });
});
