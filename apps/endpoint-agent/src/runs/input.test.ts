import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Run } from '../launch/launcher.ts';
import { INPUT_WINDOW, inputCost } from '../local-api/protocol.ts';
import { createInput } from './input.ts';

/** A run that reads when it is told to. */
const reader = (): { readonly run: Run; readonly read: string[]; next(): void } => {
  const read: string[] = [];
  let next: () => void = () => undefined;
  const stdin = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      read.push(chunk.toString());
      next = done;
    },
    final: (done) => {
      read.push('end');
      done();
    },
  });
  return { run: { stdin } as Partial<Run> as Run, read, next: () => next() };
};

describe('the input of a run', () => {
  it('keeps its order, from before the run to its end, and tells what was taken', async () => {
    const taken: number[] = [];
    const input = createInput((cost) => taken.push(cost));
    const { run, read, next } = reader();
    input.take(Buffer.from('first'));
    input.begin(run);
    input.take(Buffer.from('second'));
    input.take(Buffer.alloc(0));
    expect(read).toEqual(['first']);
    expect(taken).toEqual([]);
    next();
    await expect.poll(() => read).toEqual(['first', 'second']);
    next();
    await expect.poll(() => read).toEqual(['first', 'second', 'end']);
    const small = inputCost(Buffer.alloc(0));
    await expect.poll(() => taken).toEqual([small, small, small]);
  });

  it('is bounded, in bytes and in pieces, before and after the run has begun', () => {
    const { run } = reader();
    for (const begun of [false, true])
      for (const chunk of [Buffer.alloc(65_536), Buffer.alloc(1)]) {
        const input = createInput(() => undefined);
        if (begun) input.begin(run);
        const most = Math.floor((2 * INPUT_WINDOW) / inputCost(chunk));
        for (let i = 0; i < most; i += 1) input.take(chunk);
        expect(() => input.take(chunk)).toThrow(expect.objectContaining({ code: 'local.input' }));
      }
  });

  it('that nobody takes any more is gone, and asks for the next', () => {
    const { run } = reader();
    run.stdin.destroy();
    const taken: number[] = [];
    const input = createInput((cost) => taken.push(cost));
    input.begin(run);
    input.take(Buffer.alloc(1000));
    input.take(Buffer.alloc(0));
    expect(taken).toEqual([1000, inputCost(Buffer.alloc(0))]);
  });
});
