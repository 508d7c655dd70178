/** Cases on standard input, one JSON object per line; answers on standard output, one per line and in the same order. Nothing is kept, and no line stops it. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { TSchema, Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';

/** Longest line, in bytes: a whole bundle in base64 fits. */
export const MAX_LINE = 4 * 1024 * 1024;

/** Each line without its end; undefined for one that is longer than `max` bytes. */
export const cappedLines = async function* (input: AsyncIterable<Uint8Array>, max: number): AsyncGenerator<Buffer | undefined> {
  let [kept, size]: [Uint8Array[], number] = [[], 0];
  for await (const chunk of input) {
    for (let from = 0; ;) {
      const end = chunk.indexOf(10, from);
      const piece = chunk.subarray(from, end === -1 ? chunk.length : end);
      size += piece.length;
      if (size > max) kept = [];
      else kept.push(piece);
      if (end === -1) break;
      yield size > max ? undefined : Buffer.concat(kept);
      [kept, size, from] = [[], 0, end + 1];
    }
  }
  if (size > 0) yield size > max ? undefined : Buffer.concat(kept);
};

interface Answer {
  readonly id: string | number | null;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
}

/** What is no refusal is a defect: it has its own code, and the next line is read all the same. */
const refusal = (id: Answer['id'], error: unknown): Answer =>
  error instanceof CordonError
    ? { id, ok: false, code: error.code, message: error.message }
    : { id, ok: false, code: 'cordon.failed', message: String(error) };

const idOf = (value: unknown): Answer['id'] => {
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : null;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
};

/**
 * Answers every case: `ok` with a value, or not with a code. A line that is no case is answered with `case.malformed` or `case.too-long`.
 * @param judge throws CordonError for what is refused
 */
export const answerCases = async <S extends TSchema>(
  schema: S,
  judge: (one: Static<S>) => unknown,
  { input, output }: { readonly input: Readable; readonly output: Writable },
): Promise<void> => {
  const cases = Compile(schema);
  const answer = (line: Buffer | undefined): Answer => {
    if (line === undefined) return { id: null, ok: false, code: 'case.too-long', message: `a line has at most ${MAX_LINE} bytes` };
    let one: unknown;
    try {
      one = parseStrictJson(line, { maxBytes: MAX_LINE, maxDepth: 64 });
    } catch (error) {
      return { ...refusal(null, error), code: 'case.malformed' };
    }
    const id = idOf(one);
    if (!cases.Check(one)) return { id, ok: false, code: 'case.malformed', message: 'not a case of this command: see docs/verifier.md' };
    try {
      return { id, ok: true, value: judge(one) };
    } catch (error) {
      return refusal(id, error);
    }
  };
  for await (const line of cappedLines(input, MAX_LINE))
    if (!output.write(`${JSON.stringify(answer(line))}\n`)) await once(output, 'drain');
};
