import { describe, expect, it } from 'vitest';
import { alice, b64, bob, entryOf, EXPECTED, headOf, mallory, PAYLOAD, TYP, type Entry } from './_jws.ts';
import { codeOf } from './_refusal.ts';
import { openGeneral, peekGeneral, signGeneral } from './envelope.ts';
import type { KeyPair } from './keys.ts';

const entry = (pair: KeyPair, change: object = {}): Entry => entryOf(headOf(pair, change), PAYLOAD, pair);
const general = (...signatures: readonly object[]): string => JSON.stringify({ payload: PAYLOAD, signatures });
const open = (text: string): Promise<string> => codeOf(() => openGeneral(text, EXPECTED));

describe('a general JWS', () => {
  it('opens to the payload and the keys that signed', async () => {
    const opened = await openGeneral(await signGeneral({ a: 'é' }, TYP, [alice, bob]), EXPECTED);
    expect(opened).toEqual({ payload: { a: 'é' }, payloadText: '{"a":"é"}', kids: new Set([alice.kid, bob.kid]) });
  });

  it('counts a key once, however often and in however many ways it signed', async () => {
    const reordered = entryOf(b64(`{"typ":"${TYP}","kid":"${alice.kid}","alg":"Ed25519"}`), PAYLOAD, alice);
    const { kids } = await openGeneral(general(entry(alice), entry(alice), reordered), EXPECTED);
    expect([...kids]).toEqual([alice.kid]);
  });

  it('passes over a signature of a key outside the role, good or bad, and counts nothing for it', async () => {
    const bad = { ...entry(mallory), signature: b64(Buffer.alloc(64)) };
    for (const other of [entry(mallory), bad]) {
      const { kids } = await openGeneral(general(other, entry(alice), other), EXPECTED);
      expect([...kids]).toEqual([alice.kid]);
    }
    expect([...(await openGeneral(general(entry(mallory)), EXPECTED)).kids]).toEqual([]);
  });

  it('is refused as a whole by one bad signature of a key inside the role, wherever it stands', async () => {
    const bad = { ...entry(bob), signature: b64(Buffer.alloc(64)) };
    expect(await open(general(entry(alice), bad))).toBe('jws.signature');
    expect(await open(general(bad, entry(alice)))).toBe('jws.signature');
    expect(await open(general(entry(alice), { ...entry(bob), signature: entry(alice).signature }))).toBe('jws.signature');
  });

  it('takes 16 signatures and refuses 17 and none', async () => {
    expect(await open(general(...Array.from({ length: 16 }, () => entry(mallory))))).toBe('accepted');
    expect(await open(general(...Array.from({ length: 17 }, () => entry(mallory))))).toBe('jws.encoding');
    expect(await open(general())).toBe('jws.encoding');
  });

  it.each<readonly [why: string, value: unknown]>([
    ['an unprotected header', { payload: PAYLOAD, signatures: [{ ...entry(alice), header: { kid: alice.kid } }] }],
    ['an empty unprotected header', { payload: PAYLOAD, signatures: [{ ...entry(alice), header: {} }] }],
    ['the flattened form', { payload: PAYLOAD, ...entry(alice) }],
    ['the flattened form beside the general one', { payload: PAYLOAD, signatures: [entry(alice)], ...entry(alice) }],
    ['another member', { payload: PAYLOAD, signatures: [entry(alice)], more: 1 }],
    ['a member whose name joins to the right ones', { 'payload,signatures': PAYLOAD }],
    ['a signature whose member joins to the right ones', { payload: PAYLOAD, signatures: [{ 'protected,signature': 'x' }] }],
    ['a payload that is an object', { payload: {}, signatures: [entry(alice)] }],
    ['a payload that is a number', { payload: 1, signatures: [entry(alice)] }],
    ['signatures that are an object', { payload: PAYLOAD, signatures: { 0: entry(alice), length: 1 } }],
    ['signatures that are text', { payload: PAYLOAD, signatures: 'x' }],
    ['a signature that is null', { payload: PAYLOAD, signatures: [null] }],
    ['a signature that is text', { payload: PAYLOAD, signatures: ['x'] }],
    ['a protected header that is a number', { payload: PAYLOAD, signatures: [{ ...entry(alice), protected: 5 }] }],
    ['a protected header that is null', { payload: PAYLOAD, signatures: [{ ...entry(alice), protected: null }] }],
    ['a protected header that is an object', { payload: PAYLOAD, signatures: [{ ...entry(alice), protected: {} }] }],
    ['a signature value that is null', { payload: PAYLOAD, signatures: [{ ...entry(alice), signature: null }] }],
    ['a signature value that is a number', { payload: PAYLOAD, signatures: [{ ...entry(alice), signature: 7 }] }],
    ['no protected header', { payload: PAYLOAD, signatures: [{ signature: entry(alice).signature }] }],
    ['no payload', { signatures: [entry(alice)] }],
    ['no signatures', { payload: PAYLOAD }],
    ['a list', [PAYLOAD]],
    ['null', null],
    ['text, as in the compact form', `${headOf(alice)}.${PAYLOAD}.x`],
  ])('is refused with %s', async (_why, value) => {
    expect(await open(JSON.stringify(value))).toBe('jws.encoding');
    expect(await codeOf(() => peekGeneral(JSON.stringify(value), 4096))).toBe('jws.encoding');
  });

  it.each<readonly [why: string, change: object, code: string]>([
    ['the algorithm none', { alg: 'none' }, 'jws.alg'],
    ['the algorithm EdDSA', { alg: 'EdDSA' }, 'jws.alg'],
    ['another type', { typ: 'cordon-head+jws' }, 'jws.typ'],
    ['another member', { jwk: mallory.jwk.x }, 'jws.header'],
  ])('is refused when any protected header has %s, even of a key outside the role', async (_why, change, code) => {
    for (const pair of [bob, mallory]) expect(await open(general(entry(alice), entry(pair, change)))).toBe(code);
  });

  it('is refused when a signature is not exactly 64 bytes in canonical base64url, even of a key outside the role', async () => {
    for (const signature of ['', b64(Buffer.alloc(63)), b64(Buffer.alloc(65)), `${entry(mallory).signature}=`])
      expect(await open(general(entry(alice), { ...entry(mallory), signature }))).toBe('jws.encoding');
  });

  it('is refused when the text around it is not strict JSON', async () => {
    const text = general(entry(alice));
    for (const spoiled of [`\uFEFF${text}`, `${text}x`, text.replace('{', `{"payload":"${b64('{"a":2}')}",`), text.slice(0, -1)])
      expect(await open(spoiled)).toBe('json.refused');
  });

  it('is refused when the payload is not what was signed, or not strict JSON', async () => {
    expect(await open(JSON.stringify({ payload: b64('{"a":2}'), signatures: [entry(alice)] }))).toBe('jws.signature');
    const twice = b64('{"a":1,"a":2}');
    expect(await open(JSON.stringify({ payload: twice, signatures: [entryOf(headOf(alice), twice, alice)] }))).toBe('json.refused');
  });

  it('is refused when it is longer than its place allows', async () => {
    const text = general(entry(alice));
    expect(await codeOf(() => openGeneral(text, { ...EXPECTED, maxBytes: text.length - 1 }))).toBe('json.too-large');
  });
});
