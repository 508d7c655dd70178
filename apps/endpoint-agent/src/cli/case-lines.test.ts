import fc from 'fast-check';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { answerCases, cappedLines, MAX_LINE } from './case-lines.ts';

const linesOf = async (chunks: readonly Uint8Array[], max: number): Promise<(string | undefined)[]> => {
  const found: (string | undefined)[] = [];
  for await (const line of cappedLines(Readable.from(chunks), max)) found.push(line?.toString('latin1'));
  return found;
};

const Case = Type.Object({ id: Type.Number(), n: Type.Number() }, { additionalProperties: false });
/** Halves even numbers. */
const half = ({ n }: { n: number }): number => {
  if (n % 2 !== 0) throw new CordonError('number.odd', `${n} is odd`);
  if (n > 1e6) throw new RangeError('a defect');
  return n / 2;
};
const answers = async (input: string | Buffer): Promise<unknown[]> => {
  const output = new PassThrough();
  const said = text(output);
  await answerCases(Case, half, { input: Readable.from([Buffer.from(input)]), output });
  output.end();
  return (await said)
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
};

describe('lines', () => {
  it('are the same however the bytes come', async () => {
    const bytes = fc.uint8Array({ maxLength: 60 }).map((all) => all.map((byte) => (byte % 4 === 0 ? 10 : byte)));
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 6 }), async (chunks) => {
        const whole = Buffer.concat(chunks).toString('latin1');
        const expected = whole.split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(await linesOf(chunks, 1000)).toEqual(expected);
        expect(await linesOf(chunks, 5)).toEqual(expected.map((line) => (line.length > 5 ? undefined : line)));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('that are too long are not kept: gigabytes of one pass', async () => {
    const chunk = Buffer.alloc(1 << 20, 'x');
    const before = process.memoryUsage().arrayBuffers;
    const flood = async function* (): AsyncGenerator<Buffer> {
      for (let i = 0; i < 2048; i += 1) yield chunk;
      yield Buffer.from('\nshort\n');
    };
    const found: (string | undefined)[] = [];
    for await (const line of cappedLines(flood(), 4 << 20)) found.push(line?.toString());
    expect(found).toEqual([undefined, 'short']);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(256 << 20);
  });
});

describe('cases', () => {
  it('are answered in order, refusals with their code and defects with theirs', async () => {
    expect(await answers('{"id":1,"n":4}\n{"id":2,"n":3}\n{"id":3,"n":2000000}\n{"id":4,"n":0}')).toEqual([
      { id: 1, ok: true, value: 2 },
      { id: 2, ok: false, code: 'number.odd', message: '3 is odd' },
      { id: 3, ok: false, code: 'cordon.failed', message: 'RangeError: a defect' },
      { id: 4, ok: true, value: 0 },
    ]);
  });

  it('that are none are answered too, with their id where they have one', async () => {
    const said = await answers(
      ['', 'garbage', '{"id":7}', '{"id":{},"n":2}', '{"id":8,"n":2,"n":4}', '[1]', 'null', '\u0000'].join('\n') + '\n{"id":9,"n":2}\n',
    );
    const malformed = (id: number | null): object => ({ id, ok: false, code: 'case.malformed', message: expect.any(String) });
    expect(said).toEqual([...[null, null, 7, null, null, null, null, null].map(malformed), { id: 9, ok: true, value: 1 }]);
  });

  it('that are too long are answered, and the next one is read', async () => {
    const said = await answers(`{"id":1,"n":2${' '.repeat(MAX_LINE)}}\n{"id":2,"n":2}\n`);
    expect(said).toEqual([expect.objectContaining({ ok: false, code: 'case.too-long' }), { id: 2, ok: true, value: 1 }]);
  });

  it('any bytes at all get one answer a line', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const lines = await linesOf([bytes], MAX_LINE);
        const said = await answers(Buffer.from(bytes));
        expect(said).toEqual(lines.map(() => ({ id: null, ok: false, code: 'case.malformed', message: expect.any(String) })));
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
