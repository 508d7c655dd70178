import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkCheckpoint, checkManifest, readHighWater, type HighWater } from './decide.ts';

const time = (ms: number): string => new Date(Date.parse('2026-11-24T12:00:00.000Z') + ms).toISOString();
const HEX = 'a'.repeat(64);
const checkpoint = (change: object = {}): object => ({
  format: 'cordon-checkpoint/1',
  org: 'org_1',
  epoch: 0,
  serial: 5,
  number: 9,
  issuedAt: time(0),
  expiresAt: time(15 * 60_000),
  audit: { seq: 1, head: HEX },
  members: { size: 1, root: HEX },
  cohorts: { size: 1, root: HEX },
  previous: HEX,
  skip: HEX,
  ...change,
});
const manifest = (change: object = {}): object => ({
  format: 'cordon-manifest/1',
  org: 'org_1',
  digest: HEX,
  size: 100,
  language: 'cordon/v1',
  issuedAt: time(0),
  expiresAt: time(30 * 86_400_000),
  revisions: [{ policy: 'pol_1', revision: 1, digest: HEX }],
  onExpiry: 'tighten',
  ...change,
});
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'signed';
  } catch (error) {
    return (error as { code: string }).code;
  }
};
const start: HighWater = { epoch: 0, serial: 0 };

describe('what the signer signs', () => {
  it('is a checkpoint or a manifest and nothing else', () => {
    expect(checkCheckpoint(checkpoint(), start).high).toEqual({ epoch: 0, serial: 5 });
    expect(checkManifest(manifest())).toEqual(manifest());
    for (const wrong of [null, 'x', [], {}, checkpoint({ extra: 1 }), checkpoint({ serial: -1 }), checkpoint({ serial: 1.5 }), manifest()])
      expect(codeOf(() => checkCheckpoint(wrong, start))).toBe('signer.refused');
    for (const wrong of [null, {}, manifest({ extra: 1 }), manifest({ onExpiry: 'loosen' }), manifest({ digest: 'x' }), checkpoint()])
      expect(codeOf(() => checkManifest(wrong))).toBe('signer.refused');
  });

  it('lives only so long, forwards, and between times that are times', () => {
    const lives = (expiresAt: string): string => codeOf(() => checkCheckpoint(checkpoint({ expiresAt }), start));
    expect(lives(time(60 * 60_000))).toBe('signed');
    expect(lives(time(60 * 60_000 + 1))).toBe('signer.refused');
    expect(lives(time(0))).toBe('signer.refused');
    expect(lives(time(-1))).toBe('signer.refused');
    expect(lives('9999-99-99T99:99:99.999Z')).toBe('signer.refused');
    expect(codeOf(() => checkManifest(manifest({ expiresAt: time(400 * 86_400_000) })))).toBe('signed');
    expect(codeOf(() => checkManifest(manifest({ expiresAt: time(400 * 86_400_000 + 1) })))).toBe('signer.refused');
  });

  it('never falls: whatever it is asked, in whatever order, epoch and serial only grow', () => {
    const asked = fc.array(fc.record({ epoch: fc.nat(3), serial: fc.nat(6) }), { maxLength: 30 });
    fc.assert(
      fc.property(asked, (all) => {
        let high = start;
        for (const { epoch, serial } of all) {
          const before = high;
          const isBelow = epoch < before.epoch || (epoch === before.epoch && serial < before.serial);
          const code = codeOf(() => {
            high = checkCheckpoint(checkpoint({ epoch, serial }), high).high;
          });
          expect(code).toBe(isBelow ? 'signer.rollback' : 'signed');
          expect(high.epoch > before.epoch || (high.epoch === before.epoch && high.serial >= before.serial)).toBe(true);
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('signs the same serial again: a renewal', () => {
    const { high } = checkCheckpoint(checkpoint(), start);
    expect(checkCheckpoint(checkpoint({ issuedAt: time(60_000) }), high).high).toEqual(high);
  });
});

describe('the high-water mark', () => {
  it('is read as it was kept', () => expect(readHighWater('{"epoch":1,"serial":7}')).toEqual({ epoch: 1, serial: 7 }));

  it('that is damaged stops the signer, and never reads as "nothing signed yet"', () => {
    for (const text of [
      '',
      '{}',
      'null',
      '{"epoch":1}',
      '{"epoch":"1","serial":7}',
      '{"epoch":-1,"serial":7}',
      '{"serial":7,"serial":0,"epoch":0}',
    ])
      expect(['signer.state', 'json.refused'], text).toContain(codeOf(() => readHighWater(text)));
  });
});
