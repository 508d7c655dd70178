import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { createDecoder, encode, encodeControl, KIND, MAX_FRAME, socketFor, type Kind } from './protocol.ts';

const frame = fc.tuple(fc.constantFrom<Kind>(KIND.control, KIND.stdin, KIND.stdout, KIND.stderr), fc.uint8Array({ maxLength: 300 }));

describe('the local protocol', () => {
  it('frames come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(([kind, payload]) => encode(kind, payload)));
          const seen: [Kind, number[]][] = [];
          const decode = createDecoder((kind, payload) => seen.push([kind, [...payload]]));
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const size = cuts[i % cuts.length] ?? 1;
            decode(bytes.subarray(at, at + size));
            at += size;
          }
          expect(seen).toEqual(frames.map(([kind, payload]) => [kind, [...payload]]));
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('refuses a kind that there is not, and a length that is too long, before it waits for its bytes', () => {
    const decode = (): ((chunk: Buffer) => void) => createDecoder(() => undefined);
    expect(() => decode()(Buffer.from([4, 0, 0, 0, 0]))).toThrow(expect.objectContaining({ code: 'local.frame' }));
    const long = Buffer.from([0, 0, 0, 0, 0]);
    long.writeUInt32BE(MAX_FRAME + 1, 1);
    expect(() => decode()(long)).toThrow(expect.objectContaining({ code: 'local.frame' }));
    long.writeUInt32BE(MAX_FRAME, 1);
    expect(() => decode()(long)).not.toThrow();
  });

  it('control messages are JSON, and a socket lies in the folder of its account', () => {
    expect(JSON.parse(encodeControl({ op: 'status' }).toString('utf8', 5))).toEqual({ op: 'status' });
    expect(socketFor('/run/cordon', 1000)).toBe('/run/cordon/users/1000/cordon.sock');
  });
});
