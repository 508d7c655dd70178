import type { Ack, SelfTest } from '@cordon/policy/protocol/channel.ts';
import Fastify from 'fastify';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ReportBook, type Report } from './acks.ts';

const { log } = Fastify({ logger: false });
const at = (ms: number): Date => new Date(ms);
const ackOf = (serial: number, phase: Ack['phase'] = 'enforced'): Omit<Ack, 'type'> => ({
  epoch: 0,
  serial,
  digest: 'a'.repeat(64),
  phase,
});
const selfTest = (passed: boolean): SelfTest => ({ at: '2026-11-24T12:00:00.000Z', digest: 'a'.repeat(64), passed, checks: [] });
const poison = (): Error => Object.assign(new pg.DatabaseError('invalid byte sequence', 0, 'error'), { code: '22021' });

describe('the book of reports', () => {
  let written: Map<string, Report>[];
  let stored: string[];
  /** What the database does with a write; undefined takes it. */
  let refuse: (reports: ReadonlyMap<string, Report>) => Error | undefined;
  let book: ReportBook;

  beforeEach(() => {
    vi.useFakeTimers();
    written = [];
    stored = [];
    refuse = () => undefined;
    book = new ReportBook(
      {
        write: (reports) => {
          const error = refuse(reports);
          if (error !== undefined) return Promise.reject(error);
          written.push(new Map(reports));
          return Promise.resolve();
        },
      },
      log,
      (devices) => stored.push(...devices),
    );
  });
  afterEach(async () => {
    await book.close();
    vi.useRealTimers();
  });

  it('writes everything of 50 milliseconds in one statement, the newest of each device', async () => {
    for (let serial = 1; serial <= 3; serial += 1) for (const device of ['dev_1', 'dev_2']) book.ack(device, ackOf(serial), at(serial));
    book.selfTest('dev_1', selfTest(true), at(9));
    await vi.advanceTimersByTimeAsync(49);
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(written).toEqual([
      new Map<string, Report>([
        ['dev_1', { ack: ackOf(3), at: at(3), selfTest: selfTest(true) }],
        ['dev_2', { ack: ackOf(3), at: at(3), selfTest: undefined }],
      ]),
    ]);
    expect(stored).toEqual(['dev_1', 'dev_2']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(written).toHaveLength(1);
  });

  it('does not write in the middle of a stream of reports, but never waits long for its end', async () => {
    for (let i = 0; i < 20; i += 1) {
      book.ack(`dev_${i}`, ackOf(1), at(1));
      await vi.advanceTimersByTimeAsync(5);
    }
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(20);
    expect(written.map((part) => part.size)).toEqual([20]);
    for (let i = 0; i < 200; i += 1) {
      book.ack(`dev_${i}`, ackOf(2), at(2));
      await vi.advanceTimersByTimeAsync(5);
    }
    expect(written.length).toBeGreaterThan(3);
    expect(Math.max(...written.map((part) => part.size))).toBeLessThan(60);
  });

  it('keeps what could not be written and writes it again, with its own time', async () => {
    refuse = () => new Error('gone');
    book.ack('dev_1', ackOf(1), at(1));
    book.ack('dev_2', ackOf(1), at(1));
    await vi.advanceTimersByTimeAsync(50);
    // Meanwhile one device says something newer, and another only how its test went.
    book.ack('dev_2', ackOf(2), at(2));
    book.selfTest('dev_1', selfTest(false), at(3));
    await vi.advanceTimersByTimeAsync(50);
    refuse = () => undefined;
    await vi.advanceTimersByTimeAsync(2000);
    expect(written).toEqual([
      new Map<string, Report>([
        ['dev_1', { ack: ackOf(1), at: at(1), selfTest: selfTest(false) }],
        ['dev_2', { ack: ackOf(2), at: at(2), selfTest: undefined }],
      ]),
    ]);
  });

  it('never replaces the newer by the older when a write fails late', async () => {
    let fail: (error: Error) => void = () => undefined;
    const slow = new ReportBook(
      {
        write: (reports) =>
          written.length === 0 && reports.get('dev_1')?.ack?.serial === 1
            ? new Promise((_resolve, reject) => {
                fail = reject;
              })
            : Promise.resolve(void written.push(new Map(reports))),
      },
      log,
      () => undefined,
    );
    slow.ack('dev_1', ackOf(1), at(1));
    await vi.advanceTimersByTimeAsync(50);
    slow.ack('dev_1', ackOf(2), at(2));
    fail(new Error('gone'));
    await vi.advanceTimersByTimeAsync(2000);
    expect(written.map((batch) => batch.get('dev_1')?.ack?.serial)).toEqual([2]);
    await slow.close();
  });

  it('leaves out the one report that the database refuses, and writes all others', async () => {
    refuse = (reports) => (reports.has('dev_13') ? poison() : undefined);
    for (let i = 0; i < 40; i += 1) book.ack(`dev_${i}`, ackOf(1), at(1));
    await vi.advanceTimersByTimeAsync(50);
    expect(new Set(stored)).toEqual(new Set(Array.from({ length: 40 }, (_, i) => `dev_${i}`).filter((device) => device !== 'dev_13')));
    await vi.advanceTimersByTimeAsync(10_000);
    // It is not tried for ever: the device says it again with its next hello.
    expect(stored).toHaveLength(39);
  });

  it('writes what waits when it is closed, and nothing twice', async () => {
    book.ack('dev_1', ackOf(1), at(1));
    await book.close();
    expect(stored).toEqual(['dev_1']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(stored).toEqual(['dev_1']);
  });

  it('writes large numbers in parts', async () => {
    for (let i = 0; i < 12_000; i += 1) book.ack(`dev_${i}`, ackOf(1), at(1));
    await vi.advanceTimersByTimeAsync(50);
    expect(written.map((part) => part.size)).toEqual([5000, 5000, 2000]);
  });
});
