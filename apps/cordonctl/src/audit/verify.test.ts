import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryHash, GENESIS } from '@cordon/policy/trust/audit-chain.ts';
import { verifyExport, type Head, type Outcome } from './verify.ts';

interface Row {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: Record<string, unknown>;
  readonly prevHash: string;
  readonly hash: string;
}

const log = (size: number): Row[] => {
  const rows: Row[] = [];
  let prevHash = GENESIS;
  for (let seq = 1; seq <= size; seq += 1) {
    const facts = {
      seq,
      at: new Date(1_800_000_000_000 + seq),
      actor: 'token:tok_1',
      action: 'group.create',
      subject: `grp_${seq}`,
      detail: { name: `group ${seq}` },
    };
    const hash = entryHash(prevHash, facts);
    rows.push({ ...facts, at: facts.at.toISOString(), prevHash, hash });
    prevHash = hash;
  }
  return rows;
};

async function* lines(texts: readonly string[]): AsyncGenerator<string> {
  yield* texts;
}
const verify = (rows: readonly Row[], heads: readonly Head[] = []): Promise<Outcome> =>
  verifyExport(lines(rows.map((row) => JSON.stringify(row))), heads);
const SIZE = 12;
const rows = log(SIZE);
const headOf = (seq: number): Head => ({ seq, hash: rows[seq - 1]?.hash ?? '' });

describe('an export of the audit log', () => {
  it('holds as it was written, with every head that was ever given', async () => {
    expect(await verify(rows, [headOf(3), headOf(SIZE)])).toEqual({ entries: SIZE, head: headOf(SIZE), bad: undefined });
    expect(await verify([])).toMatchObject({ entries: 0, bad: undefined });
  });

  it('names the first row that was changed in any field', async () => {
    const change = fc.constantFrom<Partial<Row>>(
      { actor: 'token:tok_2' },
      { action: 'group.delete' },
      { subject: 'grp_x' },
      { detail: { name: 'other' } },
      { at: '2026-01-01T00:00:00.000Z' },
      { hash: GENESIS },
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: SIZE }), change, async (at, changed) => {
        const { bad, entries } = await verify(rows.map((row) => (row.seq === at ? { ...row, ...changed } : row)));
        expect([bad?.line, bad?.seq, entries]).toEqual([at, at, at - 1]);
      }),
      { numRuns: 60 },
    );
  });

  it('names the first row after one that was taken out, put in or moved', async () => {
    expect((await verify(rows.filter(({ seq }) => seq !== 5))).bad).toMatchObject({ line: 5, seq: 6 });
    expect((await verify([...rows.slice(0, 4), ...rows.slice(3)])).bad).toMatchObject({ line: 5, seq: 4 });
    expect((await verify([...rows.slice(0, 3), ...rows.slice(4, 5), ...rows.slice(3, 4), ...rows.slice(5)])).bad?.line).toBe(4);
  });

  it('misses what was cut off its end when somebody holds a later head', async () => {
    expect((await verify(rows.slice(0, 8))).bad).toBeUndefined();
    expect((await verify(rows.slice(0, 8), [headOf(10)])).bad).toMatchObject({
      seq: 10,
      why: expect.stringContaining('ends at 8') as string,
    });
  });

  it('is caught when it was built anew, by any head from before', async () => {
    const rebuilt = log(SIZE).map((row, i, all) => {
      if (i < 6) return row;
      const facts = { ...row, at: new Date(row.at), actor: 'token:tok_9' };
      const prevHash: string = all[i - 1]?.hash ?? GENESIS;
      const hash = entryHash(prevHash, facts);
      all[i] = { ...row, actor: facts.actor, prevHash, hash };
      return all[i] ?? row;
    });
    expect((await verify(rebuilt)).bad).toBeUndefined();
    expect((await verify(rebuilt, [headOf(9)])).bad).toMatchObject({ seq: 9, why: expect.stringContaining('built anew') as string });
    expect((await verify(rebuilt, [headOf(6)])).bad).toBeUndefined();
  });

  it('is caught when two heads of one number differ, whichever comes first', async () => {
    const other = { seq: 9, hash: 'a'.repeat(64) };
    for (const heads of [
      [headOf(9), other],
      [other, headOf(9)],
    ])
      expect((await verify(rows, heads)).bad).toMatchObject({ seq: 9 });
  });

  it('is refused where it is no export: broken lines, other members, a key twice', async () => {
    for (const text of ['{', '[]', 'null', JSON.stringify({ ...rows[0], more: 1 }), `{"seq":1,${JSON.stringify(rows[0]).slice(1)}`])
      expect((await verifyExport(lines([text]), [])).bad).toMatchObject({ line: 1 });
  });
});
