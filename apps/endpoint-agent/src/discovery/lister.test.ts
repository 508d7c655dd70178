import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AccountScan, Whose } from './account-scan.ts';
import type { KnownProgram } from './content.ts';
import { createLister, type Lister, type ListerOptions } from './lister.ts';

const ADA = { name: 'ada', uid: 1000, gid: 1000, home: '/home/ada' };
const NOBODY = { uid: 65_534, gid: 65_534 };
const MINUTE = 60_000;

describe('the list of what is installed', () => {
  let scans: { readonly whose: Whose; readonly as: { readonly uid: number } | undefined }[];
  let learnt: readonly KnownProgram[];
  let fault: Error | undefined;
  let logged: string[];
  let ending: AbortController;
  const lister = (change: Partial<ListerOptions> = {}): Lister =>
    createLister({
      accounts: () => [ADA],
      machine: NOBODY,
      workspacesOf: ({ name }) => [`/projects/${name}`],
      scan: async (whose, as): Promise<AccountScan> => {
        if (fault !== undefined) throw fault;
        scans.push({ whose, as });
        return { agents: [], servers: [], programs: [{ agent: 'codex', file: `/of/${whose.user}` }] };
      },
      root: true,
      onListed: async (programs) => void (learnt = programs),
      now: () => new Date(),
      log: (message) => logged.push(message),
      ...change,
    });
  beforeEach(() => {
    vi.useFakeTimers();
    scans = [];
    learnt = [];
    logged = [];
    fault = undefined;
    ending = new AbortController();
  });
  afterEach(() => {
    ending.abort();
    vi.useRealTimers();
  });

  it('is made once for all who ask, the machine first, each home with the rights of its owner', async () => {
    const list = lister();
    const [one, other] = await Promise.all([list.current(), list.current()]);
    expect(one).toBe(other);
    expect(scans).toEqual([
      { whose: { os: 'linux', user: '', workspaces: [] }, as: NOBODY },
      { whose: { os: 'linux', user: 'ada', home: '/home/ada', workspaces: ['/projects/ada'] }, as: ADA },
    ]);
    expect(learnt).toEqual([
      { agent: 'codex', file: '/of/', uid: NOBODY.uid },
      { agent: 'codex', file: '/of/ada', uid: ADA.uid },
    ]);
  });

  it('of a daemon without root is made with its own rights', async () => {
    await lister({ root: false, machine: undefined }).current();
    expect(scans.map(({ as }) => as)).toEqual([undefined, undefined]);
  });

  it('is made half a minute after the start and every half an hour, and ends with the daemon', async () => {
    const list = lister();
    list.start(ending.signal);
    await vi.advanceTimersByTimeAsync(MINUTE / 2 - 1);
    expect(scans.length).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(scans.length).toBe(2);
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(scans.length).toBe(6);
    ending.abort();
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(scans.length).toBe(6);
  });

  it('is made anew when it lacks something, and not again at once', async () => {
    const list = lister();
    list.outdated();
    await vi.advanceTimersByTimeAsync(0);
    expect(scans.length).toBe(0); // there is none yet that could be outdated
    await list.current();
    list.outdated();
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(scans.length).toBe(2);
    list.outdated();
    list.outdated();
    await vi.advanceTimersByTimeAsync(0);
    expect(scans.length).toBe(4);
  });

  it('that could not be made is the one before, and is made at the next occasion', async () => {
    const list = lister();
    const first = await list.current();
    fault = new Error('no more processes');
    await vi.advanceTimersByTimeAsync(6 * MINUTE);
    list.outdated();
    await vi.advanceTimersByTimeAsync(0);
    expect([list.last() === first, logged.length]).toEqual([true, 1]);
    fault = undefined;
    list.outdated();
    await vi.advanceTimersByTimeAsync(0);
    expect(list.last()).not.toBe(first);
  });
});
