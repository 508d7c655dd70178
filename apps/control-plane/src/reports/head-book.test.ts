import type { DownFrame, HeadFrame } from '@cordon/policy/protocol/channel.ts';
import Fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeadBook } from './head-book.ts';
import type { ReceivedHead } from './store.ts';

const { log } = Fastify({ logger: false });
const frame = (boot: string, seq: number): HeadFrame => ({ type: 'head', boot, seq, hash: 'a'.repeat(64), head: `a.${boot}${seq}.c` });

describe('signed heads as they come', () => {
  let written: ReceivedHead[];
  let fails: boolean;
  let answers: string[];
  let book: HeadBook;
  const source = (device: string): { device: string; send(answer: DownFrame): void } => ({
    device,
    send: (answer) => void (answer.type === 'head.ack' && answers.push(`${device} ${answer.boot} ${answer.signed}`)),
  });
  beforeEach(() => {
    vi.useFakeTimers();
    [written, fails, answers] = [[], false, []];
    book = new HeadBook(
      (heads) => (fails ? Promise.reject(new Error('gone')) : Promise.resolve(void written.push(...heads))),
      () => new Date(0),
      log,
    );
  });
  afterEach(async () => {
    await book.close();
    vi.useRealTimers();
  });
  const names = (): string[] => written.map(({ device, boot, seq }) => `${device} ${boot} ${seq}`);

  it('are written together and answered after that', async () => {
    for (const device of ['dev_1', 'dev_2']) book.offer(source(device), frame('boot_1', 3));
    expect(answers).toEqual([]);
    await vi.advanceTimersByTimeAsync(300);
    expect([names(), answers]).toEqual([
      ['dev_1 boot_1 3', 'dev_2 boot_1 3'],
      ['dev_1 boot_1 3', 'dev_2 boot_1 3'],
    ]);
  });

  it('a later one of the same chain takes the place of one that still waits', async () => {
    book.offer(source('dev_1'), frame('boot_1', 3));
    book.offer(source('dev_1'), frame('boot_1', 5));
    book.offer(source('dev_1'), frame('boot_0', 2));
    await vi.advanceTimersByTimeAsync(300);
    expect([...names()].sort()).toEqual(['dev_1 boot_0 2', 'dev_1 boot_1 5']);
  });

  it('wait for a database that is gone, and are answered when they are written', async () => {
    fails = true;
    book.offer(source('dev_1'), frame('boot_1', 3));
    await vi.advanceTimersByTimeAsync(1000);
    book.offer(source('dev_1'), frame('boot_1', 9));
    expect([names(), answers]).toEqual([[], []]);
    fails = false;
    await vi.advanceTimersByTimeAsync(3000);
    expect([names(), answers]).toEqual([['dev_1 boot_1 9'], ['dev_1 boot_1 9']]);
  });

  it('are written when the service ends', async () => {
    book.offer(source('dev_1'), frame('boot_1', 3));
    await book.close();
    expect(names()).toEqual(['dev_1 boot_1 3']);
  });

  it('are not held beyond a bound', async () => {
    fails = true;
    for (let i = 0; i < 20_100; i += 1) book.offer(source(`dev_${i}`), frame('boot_1', 1));
    fails = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(written).toHaveLength(20_000);
  });
});
