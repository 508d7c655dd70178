import { describe, expect, it } from 'vitest';
import { cohortLeafBytes, memberLeafBytes } from './checkpoint.ts';
import { sha256Base64Url, sha256Hex } from './digest.ts';

describe('digests', () => {
  // FIPS 180-4 examples
  it.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ])('are SHA-256 of %j', (text, hex) => {
    expect(sha256Hex(text)).toBe(hex);
    expect(sha256Base64Url(text)).toBe(Buffer.from(hex, 'hex').toString('base64url'));
  });

  it('take text as its UTF-8 bytes', () => {
    expect(sha256Hex('é😀')).toBe(sha256Hex(Buffer.from('é😀')));
  });
});

describe('leaves of the two trees', () => {
  const member = { org: 'org_a', index: 3, device: 'dev_3', cohort: 'coh_1', cohortIndex: 1 };
  const cohort = { org: 'org_a', index: 1, cohort: 'coh_1', serial: 4, digest: 'a'.repeat(64) };

  it('are canonical JSON: sender and verifier write the same bytes', () => {
    expect(memberLeafBytes(member).toString()).toBe('{"cohort":"coh_1","cohortIndex":1,"device":"dev_3","index":3,"org":"org_a"}');
    expect(cohortLeafBytes(cohort).toString()).toBe(`{"cohort":"coh_1","digest":"${'a'.repeat(64)}","index":1,"org":"org_a","serial":4}`);
  });

  it('differ in every field', () => {
    const others = [
      ...Object.keys(member).map((name) => memberLeafBytes({ ...member, [name]: name.endsWith('ndex') ? 9 : 'other' })),
      ...Object.keys(cohort).map((name) => cohortLeafBytes({ ...cohort, [name]: name === 'index' || name === 'serial' ? 9 : 'other' })),
      memberLeafBytes(member),
      cohortLeafBytes(cohort),
    ].map(String);
    expect(new Set(others).size).toBe(others.length);
  });
});
