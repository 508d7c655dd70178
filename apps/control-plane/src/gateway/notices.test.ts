import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENDINGS, noticeTexts, readNotice, type Notice } from './notices.ts';

const device = fc.base64String({ minLength: 20, maxLength: 20 }).map((text) => `dev_${text.replaceAll(/[+/=]/g, '_')}`);
const notice: fc.Arbitrary<Notice> = fc.oneof(
  fc.record({ kind: fc.constant('end' as const), reason: fc.constantFrom(...ENDINGS), devices: fc.array(device, { maxLength: 500 }) }),
  fc.record({ kind: fc.constant('join' as const), joins: fc.array(fc.tuple(device, fc.nat(2_147_483_647)), { maxLength: 500 }) }),
);

describe('a notice about sessions', () => {
  it('comes back as it was, in texts that a notification can hold', () => {
    fc.assert(
      fc.property(notice, (given) => {
        const texts = noticeTexts(given);
        for (const text of texts) expect(text.length).toBeLessThan(8000);
        const read = texts.map(readNotice);
        if (given.kind === 'end') {
          expect(read.flatMap((one) => (one?.kind === 'end' && one.reason === given.reason ? one.devices : []))).toEqual(given.devices);
        } else {
          expect(read.flatMap((one) => (one?.kind === 'join' ? one.joins : []))).toEqual(given.joins);
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it.each(['', 'end', 'end device.loosened dev_1', 'other dev_1', 'END device.revoked dev_1'])('%j is none', (text) => {
    expect(readNotice(text)).toBeUndefined();
  });

  it('passes over joins that are none', () => {
    expect(readNotice('join dev_1:5 dev_2 dev_3:x dev_4:-1 dev_5:99999999999')).toEqual({ kind: 'join', joins: [['dev_1', 5]] });
  });
});
