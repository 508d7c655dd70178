import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { Given, RunEntry } from './entry.ts';
import { MOST_BYTES, MOST_ENTRIES, MOST_RUNS } from './limits.ts';
import { openRunLog, type RunLog } from './run-log.ts';

let folder: string;
let at: number;
const now = (): Date => new Date(at++);
let log: RunLog;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-run-log-'));
  at = Date.parse('2026-03-01T12:00:00Z');
  log = openRunLog(folder, now);
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const given = (run: string, uid: number): Given => ({
  kind: 'given',
  at: '2026-03-01T12:00:00.000Z',
  run,
  uid,
  user: `user${uid}`,
  agent: 'codex',
  proof: 'proven',
  cwd: '/work',
  parent: null,
  manifest: null,
  policies: [],
  serial: 1,
  read: [],
  write: [],
  hidden: [],
  hosts: [],
  environment: [],
  rights: [],
  limits: [],
  attestation: { uid, mounts: 3 },
});
const who = (run: string) => ({ run, agent: 'codex', osUser: 'ada' });
const denied = (run: string, host: string): NewEvent => ({
  kind: 'egress',
  ...who(run),
  verdict: 'denied',
  host,
  port: 443,
  rule: 'default-deny',
  policy: '',
});
const ended = (run: string): NewEvent => ({ kind: 'run.ended', ...who(run), reason: 'exited', exitCode: 0, durationMs: 5 });
const kinds = (entries: readonly RunEntry[] | undefined): string[] => (entries ?? []).map(({ kind }) => kind);

describe('what this device remembers of runs', () => {
  it('is there after a restart, for its owner and for root, and for nobody else', () => {
    log.begin(given('run_a', 1000));
    log.heard(denied('run_a', 'evil.example'));
    log.heard(ended('run_a'));
    const again = openRunLog(folder, now);
    expect(kinds(again.read('run_a', 1000))).toEqual(['given', 'egress', 'run.ended']);
    expect(kinds(again.read('run_a', undefined))).toEqual(['given', 'egress', 'run.ended']);
    expect(again.read('run_a', 1001)).toBeUndefined();
    expect(again.read('run_b', 1000)).toBeUndefined();
    expect([again.list(1001, 9), again.list(1000, 9).length]).toEqual([[], 1]);
    expect(fs.statSync(path.join(folder, '1000')).mode & 0o077).toBe(0);
  });

  it('a name that leaves its folder finds nothing', () => {
    log.begin(given('run_a', 1000));
    for (const run of ['../1000/run_a', '', '.', '/etc/passwd', 'a']) expect(log.read(run, 1001)).toBeUndefined();
  });

  it('counts what comes again, and says how often at the end', () => {
    log.begin(given('run_a', 1000));
    for (let i = 0; i < 1000; i += 1) log.heard(denied('run_a', 'evil.example'));
    log.heard(denied('run_a', 'other.example'));
    log.heard(ended('run_a'));
    const entries = log.read('run_a', 1000) ?? [];
    expect(entries.length).toBeLessThan(16);
    const counts = entries.flatMap((entry) => (entry.kind === 'egress' && entry.host === 'evil.example' ? [entry.count ?? 1] : []));
    expect(counts).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]);
  });

  it('keeps so much of a run, its end always, and the number of what was left out', () => {
    log.begin(given('run_a', 1000));
    for (let i = 0; i < 3 * MOST_ENTRIES; i += 1) log.heard(denied('run_a', `h${i}.example`));
    log.heard(ended('run_a'));
    const entries = log.read('run_a', 1000) ?? [];
    expect(entries.length).toBe(MOST_ENTRIES + 2);
    expect(entries.at(-2)).toMatchObject({ kind: 'more', count: 2 * MOST_ENTRIES + 1 });
    expect(entries.at(-1)).toMatchObject({ kind: 'run.ended' });
  });

  it('keeps so many bytes of a run', () => {
    log.begin(given('run_a', 1000));
    for (let i = 0; i < MOST_ENTRIES; i += 1)
      log.heard({ kind: 'run.finding', ...who('run_a'), code: 'run.mask-fell', place: `/${i}/${'x'.repeat(4000)}` });
    log.heard(ended('run_a'));
    const [name = ''] = fs.readdirSync(path.join(folder, '1000'));
    const { size } = fs.statSync(path.join(folder, '1000', name));
    expect(size).toBeGreaterThan(MOST_BYTES / 2);
    expect(size).toBeLessThan(MOST_BYTES + 8192);
    expect(log.read('run_a', 1000)?.at(-1)).toMatchObject({ kind: 'run.ended' });
  });

  it('keeps the newest runs of each account, and the newest come first', () => {
    log.begin(given('run_other', 1001));
    for (let i = 0; i < MOST_RUNS + 5; i += 1) {
      log.begin(given(`run_${i}`, 1000));
      log.heard(ended(`run_${i}`));
    }
    expect(fs.readdirSync(path.join(folder, '1000'))).toHaveLength(MOST_RUNS);
    expect(log.read('run_4', 1000)).toBeUndefined();
    expect(log.read('run_5', 1000)).toBeDefined();
    expect(log.read('run_other', 1001)).toBeDefined();
    expect(log.list(undefined, 2).map(([first]) => first)).toMatchObject([
      { run: `run_${MOST_RUNS + 4}` },
      { run: `run_${MOST_RUNS + 3}` },
    ]);
  });

  it('knows the end of a run that an earlier daemon began, and takes no other event of one it does not know', () => {
    log.begin(given('run_a', 1000));
    const again = openRunLog(folder, now);
    again.heard(denied('run_a', 'late.example'));
    again.heard(denied('run_unknown', 'x.example'));
    again.heard(ended('run_a'));
    again.heard(ended('run_unknown'));
    expect(kinds(again.read('run_a', 1000))).toEqual(['given', 'run.ended']);
    expect(again.read('run_unknown', undefined)).toBeUndefined();
  });

  it('leaves out a line that a crash cut in half, and what is not an entry', () => {
    log.begin(given('run_a', 1000));
    const [name = ''] = fs.readdirSync(path.join(folder, '1000'));
    fs.appendFileSync(path.join(folder, '1000', name), '[]\n{"kind":"given"}\n{"kind":"egress","run":"run');
    expect(kinds(log.read('run_a', 1000))).toEqual(['given']);
  });

  it('tells who follows a run what comes, until they have enough', () => {
    log.begin(given('run_a', 1000));
    const heard: string[] = [];
    const stop = log.subscribe('run_a', (entry) => heard.push(entry.kind));
    log.heard(denied('run_a', 'evil.example'));
    stop();
    log.heard(ended('run_a'));
    expect(heard).toEqual(['egress']);
  });

  it('stands a disk that takes nothing: runs go on without a memory', () => {
    const file = path.join(folder, 'not-a-folder');
    fs.writeFileSync(file, '');
    const broken = openRunLog(file, now);
    broken.begin(given('run_a', 1000));
    broken.heard(ended('run_a'));
    expect([broken.read('run_a', 1000), broken.list(undefined, 9)]).toEqual([undefined, []]);
  });
});
