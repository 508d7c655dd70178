/** A state that ends whoever uses it: three processes find out, the fourth goes on without it, and none of that loosens anything. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { after, contentOf, FLEET } from '@cordon/policy/trust/_world.ts';
import { filesOf, give, makeFolder, openState, published, putFiles, removeFolder, type Halves } from './_device.ts';
import type { PolicyState } from './policy-state.ts';
import { createSlots } from './slots.ts';
import { atStart, TRIAL_MS, TRIAL_STARTS, trialBook, type TrialBook } from './trial.ts';

const NOW = after(60_000);
let [folder, elapsed]: [string, number] = ['', 0];
beforeEach(() => {
  folder = makeFolder();
  elapsed = 0;
});
afterEach(() => removeFolder(folder));

const content = (serial: number, read: string, change: object = {}): Promise<Halves> =>
  published(serial, {
    cohorts: FLEET.cohorts.map((cohort, i) => (i === 0 ? { ...cohort, serial, content: contentOf(['pol_a', serial, read]) } : cohort)),
    ...change,
  });
const begin = async (change: Parameters<typeof openState>[1] = {}): Promise<PolicyState> => {
  const state = openState(folder, { elapsed: () => elapsed, ...change });
  await state.load(NOW);
  return state;
};
const reads = (state: PolicyState): unknown => state.current(NOW)?.content.policies[0]?.document.spec.allow?.filesystem?.read?.[0];
const codes = (state: PolicyState): string[] => state.problems().map(({ code }) => code);
/** Has lived with one, then takes another and ends as often as said. */
const ended = async (times: number, first: string, second: string): Promise<void> => {
  const state = await begin();
  await give(state, await content(7, first), NOW);
  elapsed += TRIAL_MS;
  await state.tend(NOW);
  await give(state, await content(8, second), NOW);
  for (let i = 1; i < times; i += 1) expect(reads(await begin())).toBe(second);
};

describe('a daemon that ends three times soon after it took a state', () => {
  it('goes back to the one before, when that gives nothing more', async () => {
    await ended(TRIAL_STARTS, '/srv/a', '/srv');
    const state = await begin();
    expect([reads(state), codes(state)]).toEqual(['/srv/a', ['state.crash-loop']]);
    expect(state.problems()[0]?.message).toMatch(/stays in force/);
    // Only the content is old: nothing older than what was accepted comes in.
    expect(state.accepted()).toMatchObject({ serial: 8, member: 8 });
    expect(await give(state, await content(7, '/srv/a'), NOW)).toContainEqual(
      expect.objectContaining({ kind: 'refused', code: 'checkpoint.rollback' }),
    );
  });

  it('enforces nothing when the one before may give more', async () => {
    await ended(TRIAL_STARTS, '/srv', '/srv/a');
    const state = await begin();
    expect([state.current(NOW), codes(state)]).toEqual([undefined, ['state.crash-loop']]);
    expect(state.problems()[0]?.message).toMatch(/nothing launches.*Publish one that differs/s);
    expect(state.accepted()).toMatchObject({ serial: 8 });
  });

  it('nor when there is none before', async () => {
    const state = await begin();
    await give(state, await content(7, '/srv'), NOW);
    for (let i = 1; i < TRIAL_STARTS; i += 1) await begin();
    expect((await begin()).current(NOW)).toBeUndefined();
  });

  it('decides the same at every start after that', async () => {
    await ended(TRIAL_STARTS, '/srv/a', '/srv');
    for (let i = 0; i < 5; i += 1) expect(reads(await begin())).toBe('/srv/a');
  });

  it('refuses that state, with a code, renewed or not, until another comes', async () => {
    await ended(TRIAL_STARTS, '/srv/a', '/srv');
    const state = await begin();
    for (const serial of [8, 9]) {
      const { frame, membership } = await content(8, '/srv', { serial });
      expect(await give(state, { frame, membership }, NOW)).toContainEqual(
        expect.objectContaining({ kind: 'refused', code: 'state.crash-loop' }),
      );
    }
    expect(reads(state)).toBe('/srv/a');
    expect(await give(state, await content(10, '/srv/b'), NOW)).toContainEqual(
      expect.objectContaining({ kind: 'accepted', persisted: true }),
    );
    expect(reads(await begin())).toBe('/srv/b');
    expect(codes(await begin())).toEqual([]);
  });

  it('takes the old content again when that is published again', async () => {
    await ended(TRIAL_STARTS, '/srv', '/srv/a');
    const state = await begin();
    const again = await published(9, {
      cohorts: FLEET.cohorts.map((c, i) => (i === 0 ? { ...c, serial: 9, content: contentOf(['pol_a', 7, '/srv']) } : c)),
    });
    expect(await give(state, again, NOW)).toContainEqual(expect.objectContaining({ kind: 'accepted' }));
    expect(reads(await begin())).toBe('/srv');
  });

  it('of another version tries it again', async () => {
    await ended(TRIAL_STARTS, '/srv', '/srv/a');
    await begin();
    expect(reads(await begin({ version: '2' }))).toBe('/srv/a');
    for (let i = 1; i < TRIAL_STARTS; i += 1) await begin({ version: '2' });
    expect((await begin({ version: '2' })).current(NOW)).toBeUndefined();
  });

  it('and ends once more while it judges what may stand in its place, enforces nothing from then on', async () => {
    await ended(TRIAL_STARTS, '/srv/a', '/srv');
    const book = trialBook(folder);
    // What is written down just before it judges is all that is there after that end.
    const files = filesOf(folder);
    await begin();
    const trial = book.read();
    putFiles(folder, files);
    if (trial === undefined || trial === 'damaged') return expect.fail('nothing was written down');
    const { instead, ...before } = trial;
    expect([instead, before.starts]).toEqual(['previous', TRIAL_STARTS + 1]);
    book.write(before);
    expect((await begin()).current(NOW)).toBeUndefined();
  });

  it('keeps the older one no younger than it is', async () => {
    await ended(TRIAL_STARTS, '/srv/a', '/srv');
    const state = await begin();
    expect(state.current(after(20 * 60_000))?.freshness).toBe('stale');
    expect(state.current(after(2 * 86_400_000))?.freshness).toBe('expired');
  });
});

describe('what does not count', () => {
  it('two ends', async () => {
    await ended(TRIAL_STARTS - 1, '/srv/a', '/srv');
    expect(reads(await begin())).toBe('/srv');
  });

  it('an end after it has lived with it for a minute, now or at an earlier start', async () => {
    await ended(TRIAL_STARTS - 1, '/srv/a', '/srv');
    const state = await begin();
    elapsed += TRIAL_MS;
    await state.tend(NOW);
    for (let i = 0; i < 5; i += 1) expect(reads(await begin())).toBe('/srv');
  });

  it('an end in order', async () => {
    await ended(1, '/srv/a', '/srv');
    for (let i = 0; i < 5; i += 1) {
      const state = await begin();
      expect(reads(state)).toBe('/srv');
      state.close();
    }
  });

  it('a renewal, which also leaves the state before where it is', async () => {
    await ended(1, '/srv/a', '/srv');
    for (let i = 1; i < TRIAL_STARTS; i += 1) await give(await begin(), await content(8, '/srv', { serial: 8 + i }), NOW);
    expect(reads(await begin())).toBe('/srv/a');
  });

  it('a state that was written down and never came', async () => {
    const state = await begin();
    await give(state, await content(7, '/srv'), NOW);
    trialBook(folder).write({ digest: 'a'.repeat(64), starts: TRIAL_STARTS, version: '1' });
    const next = await begin();
    expect([reads(next), codes(next), trialBook(folder).read()]).toEqual(['/srv', [], undefined]);
  });
});

describe('the count', () => {
  it('is on disk before the state is looked at', async () => {
    await ended(1, '/srv/a', '/srv');
    const book = trialBook(folder);
    const seen: unknown[] = [];
    const watched: TrialBook = { ...book, write: (trial) => (book.write(trial), void seen.push('counted')) };
    const slots = createSlots(folder);
    await begin({ trials: watched, slots: { ...slots, ratchet: () => (seen.push('looked'), slots.ratchet()) } });
    expect(seen).toEqual(['counted', 'looked']);
  });

  it('that cannot be written keeps nothing from being enforced, and lets nothing be judged', async () => {
    await ended(TRIAL_STARTS - 1, '/srv/a', '/srv');
    const book = trialBook(folder);
    const refusing: TrialBook = {
      ...book,
      write: () => {
        throw new Error('no space');
      },
    };
    expect(reads(await begin({ trials: refusing }))).toBe('/srv');
    await begin();
    expect((await begin({ trials: refusing })).current(NOW)).toBeUndefined();
  });

  it('that is damaged is told and begins anew', async () => {
    await ended(TRIAL_STARTS, '/srv', '/srv/a');
    const files = filesOf(folder);
    const bytes = files.get('trial.json') ?? Buffer.of();
    for (let at = 0; at < bytes.length; at += 1) {
      const other = Buffer.from(bytes);
      other[at] = (other[at] ?? 0) ^ 1;
      putFiles(folder, new Map([...files, ['trial.json', other]]));
      const state = await begin();
      expect([at, codes(state)]).toEqual([at, ['state.trial-damaged']]);
      expect(reads(state)).toBe('/srv/a');
    }
  });

  it('knows six answers', () => {
    const trial = { digest: 'd', starts: 1, version: '1' };
    expect(atStart(undefined, '1')).toEqual({ verdict: 'none' });
    expect(atStart(trial, '1')).toEqual({ verdict: 'attempt', write: { ...trial, starts: 2 } });
    expect(atStart({ ...trial, starts: 3 }, '1')).toEqual({ verdict: 'judge', write: { ...trial, starts: 4 } });
    expect(atStart({ ...trial, starts: 4 }, '1')).toEqual({ verdict: 'nothing' });
    expect(atStart({ ...trial, starts: 4, instead: 'previous' }, '1')).toEqual({ verdict: 'previous' });
    expect(atStart({ ...trial, starts: 9, instead: 'nothing' }, '2')).toEqual({ verdict: 'attempt', write: { ...trial, version: '2' } });
  });
});
