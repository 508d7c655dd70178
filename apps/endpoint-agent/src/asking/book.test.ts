import fc from 'fast-check';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { MAX_OPEN_REQUESTS } from '@cordon/policy/protocol/exception-requests.ts';
import { openRequestBook, type RequestBook } from './book.ts';
import type { Asked } from './words.ts';

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-requests-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

let made = 0;
const asked = (change: Partial<Asked> = {}): Asked => ({
  id: `req_${String((made += 1)).padStart(16, '0')}`,
  state: 'open',
  at: '2026-03-01T12:00:00.000Z',
  agent: 'codex',
  osUser: 'ada',
  access: 'network',
  target: `host-${made}.example:443`,
  reason: '',
  drafted: false,
  run: null,
  rule: '',
  policy: '',
  uid: 1000,
  stored: null,
  ...change,
});
const code = (act: () => unknown): string => {
  try {
    act();
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  }
};
const states = (book: RequestBook): string[] =>
  book.list(undefined).map(({ target, state, stored }) => `${target} ${state} ${String(stored)}`);

describe('the book of requests', () => {
  it('sends what a person asks for and no draft, until it is answered, also over a restart', () => {
    const book = openRequestBook(folder);
    const [mine, draft] = [asked({ target: 'a:1' }), asked({ target: 'b:1', state: 'draft', drafted: true, run: 'run_1' })];
    for (const one of [mine, draft]) book.add(one);
    expect(book.unsent().map(({ id }) => id)).toEqual([mine.id]);
    const again = openRequestBook(folder);
    expect(again.unsent()).toEqual(book.unsent());
    expect(again.unsent()[0]).not.toHaveProperty('uid');
    again.answered({ type: 'exception.reply', id: mine.id, state: 'open' });
    expect(again.unsent()).toEqual([]);
    expect(states(openRequestBook(folder))).toEqual(['a:1 open true', 'b:1 draft null']);
  });

  it('keeps one of the same, and a person’s own in the place of a draft', () => {
    const book = openRequestBook(folder);
    const draft = book.add(asked({ target: 'a:1', state: 'draft' }));
    expect(book.add(asked({ target: 'a:1', state: 'draft', reason: 'again' }))).toBe(draft);
    const mine = book.add(asked({ target: 'a:1', reason: 'mine' }));
    expect(book.list(undefined)).toEqual([mine]);
    expect(book.add(asked({ target: 'a:1' }))).toBe(mine);
    expect(book.add(asked({ target: 'a:1', state: 'draft' }))).toBe(mine);
    expect(book.add(asked({ target: 'a:1', uid: 1001 }))).not.toBe(mine);
  });

  it('is confirmed and withdrawn by its own account, and by root, alone', () => {
    const book = openRequestBook(folder);
    const draft = book.add(asked({ state: 'draft' }));
    expect(code(() => book.confirm(draft.id, 1001))).toBe('request.unknown');
    expect(book.list(1001)).toEqual([]);
    expect(book.confirm(draft.id, 1000)).toMatchObject({ state: 'open', stored: null });
    expect(code(() => book.confirm(draft.id, undefined))).toBe('request.unknown');
    expect(code(() => book.withdraw(draft.id, 1001))).toBe('request.unknown');
    expect(book.withdraw(draft.id, undefined)).toMatchObject({ state: 'withdrawn' });
  });

  it('forgets a draft at once, and what was sent when the control plane knows that it is withdrawn', () => {
    const book = openRequestBook(folder);
    const [draft, mine] = [book.add(asked({ state: 'draft' })), book.add(asked())];
    book.withdraw(draft.id, 1000);
    book.withdraw(mine.id, 1000);
    expect(book.list(undefined)).toEqual([]);
    expect(book.unsent()).toMatchObject([{ id: mine.id, state: 'withdrawn' }]);
    book.answered({ type: 'exception.reply', id: mine.id, state: 'open' });
    expect(book.unsent()).toHaveLength(1);
    book.answered({ type: 'exception.reply', id: mine.id, state: 'withdrawn' });
    expect(JSON.parse(fs.readFileSync(path.join(folder, 'requests.json'), 'utf8'))).toEqual([]);
  });

  it('has a bound for drafts and one for requests, of each account', () => {
    const book = openRequestBook(folder);
    for (let i = 0; i < 20; i += 1) book.add(asked({ state: 'draft' }));
    expect(code(() => book.add(asked({ state: 'draft' })))).toBe('request.too-many');
    for (let i = 0; i < MAX_OPEN_REQUESTS; i += 1) book.add(asked());
    expect(code(() => book.add(asked()))).toBe('request.too-many');
    expect(code(() => book.confirm(book.list(1000)[0]?.id ?? '', 1000))).toBe('request.too-many');
    expect(code(() => book.add(asked({ uid: 1001, state: 'draft' })))).toBe('done');
  });

  it('that is damaged is empty', () => {
    openRequestBook(folder).add(asked());
    fs.writeFileSync(path.join(folder, 'requests.json'), '[{"id":"req_');
    expect(openRequestBook(folder).list(undefined)).toEqual([]);
    fs.writeFileSync(path.join(folder, 'requests.json'), '[{"id":1}]');
    expect(openRequestBook(folder).list(undefined)).toEqual([]);
  });

  it('is the same after a restart, whatever was done, and never sends a draft', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('draft', 'open', 'confirm', 'withdraw', 'answer'), fc.nat({ max: 5 })), { maxLength: 30 }),
        (steps) => {
          const place = fs.mkdtempSync(path.join(folder, 'law-'));
          const book = openRequestBook(place);
          for (const [step, n] of steps) {
            const target = `host-${n}:443`;
            const found = book.list(undefined)[n]?.id ?? '';
            if (step === 'draft' || step === 'open') book.add(asked({ target, state: step, drafted: step === 'draft' }));
            else if (step === 'answer') for (const { id, state } of book.unsent()) book.answered({ type: 'exception.reply', id, state });
            else code(() => (step === 'confirm' ? book.confirm(found, 1000) : book.withdraw(found, 1000)));
          }
          const drafts = new Set(book.list(undefined).flatMap(({ id, state }) => (state === 'draft' ? [id] : [])));
          expect(book.unsent().filter(({ id }) => drafts.has(id))).toEqual([]);
          const again = openRequestBook(place);
          expect([again.list(undefined), again.unsent()]).toEqual([book.list(undefined), book.unsent()]);
        },
      ),
      { numRuns: Math.ceil(LAW_RUNS / 4) },
    ));
});
