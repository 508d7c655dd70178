import fc from 'fast-check';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { preparePolicy } from '@cordon/policy/document/prepare.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { prepareException } from '@cordon/policy/document/exception.ts';
import type { LaunchPlan, Limits } from '@cordon/policy/launch-plan.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { policyText } from '../../tests/_policy.ts';
import type { RunNotice } from '../local-api/protocol.ts';
import { planFor } from './decide.ts';
import { createEnforcement, type Enforcement } from './enforcement.ts';
import { effectiveOf } from './nesting.ts';
import type { LiveRun } from './run-table.ts';

const START = new Date('2026-03-01T12:00:00.000Z');
const after = (ms: number): string => new Date(START.getTime() + ms).toISOString();

let folder: string;
let workspace: string;
beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['Date', 'setTimeout', 'clearTimeout', 'performance'] });
  folder = fs.realpathSync(fs.mkdtempSync('/var/tmp/cordon-enforcement-'));
  workspace = path.join(folder, 'workspace');
  fs.mkdirSync(path.join(folder, 'shared'));
  fs.mkdirSync(workspace);
});
afterEach(() => {
  vi.useRealTimers();
  fs.rmSync(folder, { recursive: true, force: true });
});

let serial = 0;
const stateOf = (spec: string, more: Partial<VerifiedState> = {}): VerifiedState =>
  ({
    digest: `digest-${(serial += 1)}`,
    epoch: 0,
    serial,
    cohort: 'coh_1',
    prepared: [preparePolicy({ policy: 'pol_a', name: 'a', revision: 1, document: parsePolicy(policyText(spec)).document, because: [] })],
    exceptions: [],
    judgedAt: START,
    freshness: 'current',
    expiresAt: START,
    ...more,
  }) as Partial<VerifiedState> as VerifiedState;

interface Scene {
  readonly live: LiveRun;
  readonly enforcement: Enforcement;
  readonly told: RunNotice[];
  readonly killed: string[];
  readonly updates: LaunchPlan['egress'][];
  readonly events: NewEvent[];
  /** What a run that lives can be put under. */
  relimit: (limits: Limits) => boolean;
}

const HOST = { installation: [] };
const begin = (state: VerifiedState): Scene => {
  const asked = {
    subject: { agent: { id: 'unknown', proof: 'claimed' }, user: 'dev', os: 'linux' },
    account: { name: 'dev', uid: 1000, gid: 1000, home: '/home/dev' },
    cwd: workspace,
    manifest: undefined,
    parent: undefined,
  } as const;
  const effective = effectiveOf(state, asked);
  const plan = planFor(state, effective, workspace, HOST);
  const killed: string[] = [];
  const told: RunNotice[] = [];
  const run = {
    run: 'run_1',
    door: path.join(folder, 'cordon.sock'),
    kill: (reason: string) => void killed.push(reason),
    relimit: (limits: Limits) => scene.relimit(limits),
  } as Partial<LiveRun['run']> as LiveRun['run'];
  const live: LiveRun = {
    ...asked,
    run,
    effective,
    filesystem: plan.request.filesystem,
    network: plan.egress,
    startedAt: 0,
    tell: (notice) => told.push(notice),
  };
  const [updates, events]: [LaunchPlan['egress'][], NewEvent[]] = [[], []];
  const enforcement = createEnforcement({
    runs: { all: () => (killed.length === 0 ? [live] : []) },
    egress: { update: (_run, rules) => void updates.push(rules) },
    host: HOST,
    report: (event) => void events.push(event),
    now: () => new Date(),
    log: () => undefined,
  });
  const scene: Scene = { live, enforcement, told, killed, updates, events, relimit: () => true };
  return scene;
};

const allow = (read: readonly string[], hosts: readonly string[] = [], more = ''): string =>
  `allow:\n  filesystem: { read: [${read.map((place) => `"${place}"`).join()}], write: ["\${workspace}"] }\n  network: { hosts: [${hosts.map((host) => `{ host: ${host} }`).join()}] }\n${more}`;
const noticeFile = (): unknown => {
  const file = path.join(folder, 'notice.json');
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : undefined;
};

describe('a run that lives', () => {
  it('is left alone by what does not change anything for it', () => {
    const scene = begin(stateOf(allow([], ['a.example'])));
    scene.enforcement.apply(stateOf(`${allow([], ['a.example'])}match: { users: ["*"] }`));
    scene.enforcement.apply(stateOf(allow([path.join(folder, 'shared')], ['a.example'])));
    expect(scene).toMatchObject({ told: [], killed: [], updates: [], events: [] });
  });

  it('gets other network rules at once, and nothing else happens to it', () => {
    const scene = begin(stateOf(allow([], ['a.example'])));
    scene.enforcement.apply(stateOf(allow([], ['b.example'])));
    scene.enforcement.apply(stateOf(allow([], ['b.example'])));
    expect(scene.updates.map(({ hosts }) => hosts.map(({ host }) => host))).toEqual([['b.example']]);
    scene.enforcement.apply(stateOf(allow([], ['a.example'])));
    expect(scene.updates.map(({ hosts }) => hosts.map(({ host }) => host))).toEqual([['b.example'], ['a.example']]);
    expect(scene).toMatchObject({ told: [], killed: [] });
  });

  it('that holds more than it may is told, and stopped at the end of the grace', () => {
    const shared = path.join(folder, 'shared');
    const scene = begin(stateOf(allow([shared])));
    scene.enforcement.apply(stateOf(allow([], [], 'grace: 90s')));
    const notice = { code: 'policy.narrowed', message: expect.stringContaining(shared), endsAt: after(90_000) };
    expect(scene.told).toEqual([notice]);
    expect(noticeFile()).toEqual(notice);
    expect(scene.enforcement.noticeOf(scene.live)).toEqual(notice);
    expect(scene.events).toEqual([
      { kind: 'run.notice', run: 'run_1', agent: 'unknown', osUser: 'dev', code: 'policy.narrowed', endsAt: after(90_000) },
    ]);
    vi.advanceTimersByTime(89_999);
    expect(scene.killed).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(scene.killed).toEqual(['killed']);
    expect(scene.enforcement.noticeOf(scene.live)).toBeUndefined();
  });

  it('has a minute unless somebody says, and the strictest word counts', () => {
    const shared = path.join(folder, 'shared');
    const usual = begin(stateOf(allow([shared])));
    usual.enforcement.apply(stateOf(allow([])));
    expect(usual.told[0]?.endsAt).toBe(after(60_000));
    const strict = begin(stateOf(allow([shared])));
    const two = stateOf(allow([], [], 'grace: 2h'));
    strict.enforcement.apply({
      ...two,
      prepared: [...two.prepared, ...stateOf('grace: 0s').prepared.map((p) => ({ ...p, key: 'pol_b@1' }))],
    });
    expect(strict.told[0]?.endsAt).toBe(after(0));
    vi.advanceTimersByTime(0);
    expect(strict.killed).toEqual(['killed']);
  });

  it('gets no more time by a change after that, and less where that says less', () => {
    const scene = begin(stateOf(allow([path.join(folder, 'shared')])));
    scene.enforcement.apply(stateOf(allow([], [], 'grace: 60s')));
    vi.advanceTimersByTime(30_000);
    scene.enforcement.apply(stateOf(allow([], ['a.example'], 'grace: 10m')));
    expect(scene.enforcement.noticeOf(scene.live)?.endsAt).toBe(after(60_000));
    expect(scene.told).toHaveLength(1);
    scene.enforcement.apply(stateOf(allow([], [], 'grace: 5s')));
    expect(scene.enforcement.noticeOf(scene.live)?.endsAt).toBe(after(35_000));
    vi.advanceTimersByTime(5000);
    expect(scene.killed).toEqual(['killed']);
  });

  it('goes on when it gets back what it was given, and is told so', () => {
    const shared = path.join(folder, 'shared');
    const scene = begin(stateOf(allow([shared])));
    scene.enforcement.apply(stateOf(allow([])));
    scene.enforcement.apply(stateOf(allow([shared])));
    expect(scene.told.map(({ endsAt }) => endsAt)).toEqual([after(60_000), null]);
    expect(noticeFile()).toBeUndefined();
    vi.advanceTimersByTime(600_000);
    expect(scene.killed).toEqual([]);
  });

  it('whose agent may not start any more loses its network at once, and ends after the grace', () => {
    const scene = begin(stateOf(allow([], ['a.example'])));
    scene.enforcement.apply(stateOf(`${allow([], ['a.example'])}deny: { run: true }\ngrace: 10s`));
    expect(scene.updates.map(({ hosts }) => hosts)).toEqual([[]]);
    expect(scene.told).toMatchObject([{ code: 'launch.denied', endsAt: after(10_000) }]);
    vi.advanceTimersByTime(10_000);
    expect(scene.killed).toEqual(['killed']);
  });

  it('ends at once when its device has no policy any more, as in a quarantine', () => {
    const scene = begin(stateOf(allow([], ['a.example'])));
    scene.enforcement.apply({ ...stateOf(allow([])), prepared: [] });
    expect(scene.updates.map(({ hosts }) => hosts)).toEqual([[]]);
    expect(scene.told).toMatchObject([{ code: 'launch.no-policy', endsAt: after(0) }]);
    vi.advanceTimersByTime(0);
    expect(scene.killed).toEqual(['killed']);
  });

  it('that would need a stronger isolation than it has ends after the grace', () => {
    const scene = begin(stateOf(allow([])));
    scene.enforcement.apply(stateOf(allow([], [], 'limit: { isolation: vm }\nrequired: [isolation]\ngrace: 1s')));
    expect(scene.told).toMatchObject([{ code: 'launch.required-unmet', endsAt: after(1000) }]);
  });

  it('is put under other limits at once, and ends after the grace where that cannot be', () => {
    const scene = begin(stateOf(allow([])));
    const seen: (number | undefined)[] = [];
    scene.relimit = ({ memoryBytes }) => seen.push(memoryBytes) < 2;
    scene.enforcement.apply(stateOf(allow([], [], 'limit: { resources: { memory: 2GiB } }')));
    expect(scene.told).toEqual([]);
    scene.enforcement.apply(stateOf(allow([], [], 'limit: { resources: { memory: 1GiB } }')));
    expect(seen).toEqual([2 * 2 ** 30, 2 ** 30]);
    expect(scene.told).toMatchObject([{ code: 'policy.limits', endsAt: after(60_000) }]);
  });
});

describe('a run that cannot be judged', () => {
  it('is ended, and the others are judged all the same', () => {
    const scene = begin(stateOf(allow([])));
    scene.relimit = () => {
      throw new Error('the disk is gone');
    };
    scene.enforcement.apply(stateOf(allow([], ['a.example'])));
    expect(scene.killed).toEqual(['killed']);
    const other = begin(stateOf(allow([])));
    other.relimit = scene.relimit;
    other.enforcement.judge(stateOf(allow([])), other.live);
    expect(other.killed).toEqual(['killed']);
  });
});

describe('whatever is changed', () => {
  const places = fc.subarray(['a', 'b', 'a/inner', 'c']);
  const graces = fc.constantFrom(undefined, 0, 5, 60, 600);
  it('a run is told exactly when it holds what it would not get, keeps its first end, and never outlives it', () =>
    fc.assert(
      fc.property(places, fc.array(fc.tuple(places, graces, fc.nat({ max: 30_000 })), { minLength: 1, maxLength: 5 }), (first, changes) => {
        vi.setSystemTime(START);
        for (const place of ['a', 'b', 'a/inner', 'c']) fs.mkdirSync(path.join(folder, place), { recursive: true });
        const reads = (names: readonly string[]): string[] => names.map((name) => path.join(folder, name));
        const gets = (names: readonly string[], name: string): boolean => names.some((one) => one === name || name.startsWith(`${one}/`));
        const scene = begin(stateOf(allow(reads(first))));
        let end: number | undefined;
        for (const [names, grace, later] of changes) {
          scene.enforcement.apply(stateOf(allow(reads(names), [], grace === undefined ? '' : `grace: ${grace}s`)));
          const fits = first.every((name) => gets(names, name));
          end = fits ? undefined : Math.min(end ?? Infinity, Date.now() + (grace ?? 60) * 1000);
          expect(scene.enforcement.noticeOf(scene.live)?.endsAt).toBe(end === undefined ? undefined : new Date(end).toISOString());
          vi.advanceTimersByTime(later);
          expect(scene.killed.length > 0).toBe(end !== undefined && Date.now() >= end);
          if (scene.killed.length > 0) return;
        }
      }),
      { numRuns: Math.ceil(LAW_RUNS / 4) },
    ));
});

describe('time alone', () => {
  it('takes away what an exception gave when that ends', () => {
    const shared = path.join(folder, 'shared');
    const exception = prepareException({
      id: 'exc_1',
      name: 'for today',
      expiresAt: after(3_600_000),
      because: [],
      change: { kind: 'allow', allow: { filesystem: { read: [shared] } } },
    });
    const state = stateOf(allow([], [], 'grace: 30s'), { exceptions: [exception] });
    const scene = begin(state);
    scene.enforcement.tend(state);
    expect(scene.told).toEqual([]);
    scene.enforcement.tend({ ...state, judgedAt: new Date(START.getTime() + 3_600_000) });
    expect(scene.told).toMatchObject([{ code: 'policy.narrowed', endsAt: after(30_000) }]);
  });

  it.each([
    ['stop', ['policy.expired']],
    ['tighten', []],
  ] as const)('and an expired policy that says %s', (word, codes) => {
    const state = stateOf(allow([], ['a.example'], `onExpiry: ${word}\ngrace: 5s`));
    const scene = begin(state);
    scene.enforcement.tend(state);
    scene.enforcement.tend({ ...state, freshness: 'expired' });
    scene.enforcement.tend({ ...state, freshness: 'expired' });
    expect(scene.told.map(({ code }) => code)).toEqual(codes);
    expect(scene.updates).toEqual([]);
  });
});
