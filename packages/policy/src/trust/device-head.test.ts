import { describe, expect, it } from 'vitest';
import { codeOf } from './_refusal.ts';
import { keyNamed } from './_world.ts';
import { openHead, signHead, type HeadStatement } from './device-head.ts';
import { signCompact } from './envelope.ts';

const [device, former, other] = [keyNamed('device'), keyNamed('former'), keyNamed('other')];
const STATEMENT: HeadStatement = {
  format: 'cordon-head/1',
  org: 'org_a',
  device: 'dev_1',
  boot: 'boot_1',
  seq: 12,
  hash: 'a'.repeat(64),
  at: '2026-03-01T12:00:00.000Z',
  enforced: { epoch: 0, serial: 3, digest: 'b'.repeat(64) },
  assurance: 'system',
};

describe('a signed head of a chain', () => {
  it('is opened with the key that the device has, or had', async () => {
    for (const key of [device, former])
      expect(await openHead(await signHead(STATEMENT, key), STATEMENT, [device.jwk, former.jwk])).toEqual(STATEMENT);
    expect(await openHead(await signHead({ ...STATEMENT, enforced: null }, device), STATEMENT, [device.jwk])).toMatchObject({
      enforced: null,
    });
  });

  it('is refused from another key, without keys, and when anything of it was changed', async () => {
    const jws = await signHead(STATEMENT, device);
    expect(await codeOf(() => openHead(jws, STATEMENT, [other.jwk]))).toBe('jws.key');
    expect(await codeOf(() => openHead(jws, STATEMENT, []))).toBe('jws.key');
    const [header, , signature] = jws.split('.');
    const changed = Buffer.from(JSON.stringify({ ...STATEMENT, seq: 13 })).toString('base64url');
    expect(await codeOf(() => openHead(`${header}.${changed}.${signature}`, { ...STATEMENT, seq: 13 }, [device.jwk]))).toBe(
      'jws.signature',
    );
  });

  it.each<readonly [what: string, change: Partial<HeadStatement>]>([
    ['another organisation', { org: 'org_b' }],
    ['another device', { device: 'dev_2' }],
    ['another boot', { boot: 'boot_2' }],
    ['another number', { seq: 11 }],
    ['another hash', { hash: 'c'.repeat(64) }],
  ])('does not count for %s, though its signature is good', async (_what, change) => {
    expect(await codeOf(async () => openHead(await signHead(STATEMENT, device), { ...STATEMENT, ...change }, [device.jwk]))).toBe(
      'head.statement',
    );
  });

  it.each<readonly [what: string, payload: object]>([
    ['with more than it has', { ...STATEMENT, more: 1 }],
    ['of no event', { ...STATEMENT, seq: 0 }],
    ['at a time that is none', { ...STATEMENT, at: '2026-13-01T00:00:00.000Z' }],
    ['of another format', { ...STATEMENT, format: 'cordon-head/2' }],
    ['of an assurance that nobody knows', { ...STATEMENT, assurance: 'both' }],
  ])('%s is none', async (_what, payload) => {
    expect(await codeOf(async () => openHead(await signCompact(payload, 'cordon-head+jws', device), STATEMENT, [device.jwk]))).toBe(
      'head.statement',
    );
  });

  it('a session proof of the same device does not pass as one', async () => {
    expect(await codeOf(async () => openHead(await signCompact(STATEMENT, 'cordon-session+jws', device), STATEMENT, [device.jwk]))).toBe(
      'jws.typ',
    );
  });
});
