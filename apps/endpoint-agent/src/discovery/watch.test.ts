import type { Uncontained } from '@cordon/policy/effective.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { AgentProcess } from './processes.ts';
import type { UncontainedEvent } from './sightings.ts';
import { createWatch, topmost, type Watch } from './watch.ts';

const agent = (pid: number, change: Partial<AgentProcess> = {}): AgentProcess => ({
  pid,
  startTime: `s${pid}`,
  parent: 1,
  uid: 1000,
  namespace: 'pid:[host]',
  agent: 'codex',
  evidence: 'package',
  file: '/home/ada/codex.js',
  ...change,
});

describe('a watch', () => {
  let there: AgentProcess[];
  let runs: Set<string>;
  let policy: Uncontained;
  let events: UncontainedEvent[];
  let ended: number[];
  let ends: boolean;
  let changes: number;
  let minutes: number;
  let watch: Watch;
  beforeEach(() => {
    there = [];
    runs = new Set();
    policy = 'report';
    events = [];
    ended = [];
    ends = true;
    changes = 0;
    minutes = 0;
    watch = createWatch({
      look: async () => there,
      contained: () => runs,
      userOf: (uid) => `user-${uid}`,
      policyFor: () => policy,
      end: async ({ pid }) => {
        ended.push(pid);
        if (ends) there = there.filter((one) => one.pid !== pid);
        return ends;
      },
      report: (event) => void events.push(event),
      onChange: () => (changes += 1),
      now: () => new Date(Date.parse('2026-11-24T12:00:00.000Z') + (minutes += 2) * 60_000),
      log: () => undefined,
    });
  });

  it('finds what is outside twice, tells of it once, and asks to look again soon only for what is new', async () => {
    there = [agent(7)];
    expect([await watch.tick(), events.length]).toEqual([true, 0]);
    expect([await watch.tick(), events.length]).toEqual([false, 1]);
    expect(events[0]).toEqual({
      kind: 'agent.uncontained',
      agent: 'codex',
      osUser: 'user-1000',
      program: '/home/ada/codex.js',
      evidence: 'package',
      action: 'reported',
      count: 1,
    });
    await watch.tick();
    expect(events.length).toBe(1);
    expect(watch.sightings.all()).toMatchObject([{ times: 1, running: true }]);
  });

  it('leaves alone what a run contains, and what is in a run by the next look', async () => {
    there = [agent(7, { namespace: 'pid:[run]' })];
    runs.add('pid:[run]');
    for (let i = 0; i < 3; i += 1) await watch.tick();
    expect([events, ended, watch.running().map(({ contained }) => contained)]).toEqual([[], [], [true]]);
    // A run that is being made: its process is there before the table has it.
    there = [agent(8, { namespace: 'pid:[new]' })];
    policy = 'stop';
    await watch.tick();
    runs.add('pid:[new]');
    for (let i = 0; i < 3; i += 1) await watch.tick();
    expect([events, ended]).toEqual([[], []]);
  });

  it('sees a later process with the same number as another one', async () => {
    there = [agent(7)];
    await watch.tick();
    there = [agent(7, { startTime: 'later' })];
    await watch.tick();
    expect(events).toEqual([]);
    await watch.tick();
    expect(events.length).toBe(1);
  });

  it('ends what the policy says to stop, once, also when it says so later', async () => {
    there = [agent(7)];
    await watch.tick();
    await watch.tick();
    expect([events.map(({ action }) => action), ended]).toEqual([['reported'], []]);
    policy = 'stop';
    await watch.tick();
    await expect.poll(() => events.map(({ action }) => action)).toEqual(['reported', 'stopped']);
    expect(ended).toEqual([7]);
    await watch.tick();
    expect(watch.sightings.all()).toMatchObject([{ action: 'stopped', running: false, times: 2 }]);
  });

  it('says so when it could not be ended, and does not try for ever', async () => {
    policy = 'stop';
    ends = false;
    there = [agent(7)];
    for (let i = 0; i < 5; i += 1) await watch.tick();
    expect([events.map(({ action }) => action), ended]).toEqual([['failed'], [7]]);
    expect(watch.sightings.all()).toMatchObject([{ running: true }]);
  });

  it('finds agents, not what runs models for them', async () => {
    there = [agent(7, { agent: 'ollama', file: '/usr/local/bin/ollama' })];
    policy = 'stop';
    await watch.tick();
    await watch.tick();
    expect([events, ended, watch.running().length]).toEqual([[], [], 1]);
  });

  it('tells of a change when what runs is not as before, and only then', async () => {
    await watch.see();
    expect(changes).toBe(0);
    there = [agent(7)];
    await watch.see();
    await watch.see();
    expect(changes).toBe(1);
    runs.add('pid:[host]');
    await watch.see();
    expect(changes).toBe(2);
  });
});

describe('of a tree of processes', () => {
  it('the topmost of each agent counts', () => {
    const all = [agent(1, { parent: 0 }), agent(2, { parent: 1 }), agent(3, { parent: 2, agent: 'goose' }), agent(4, { parent: 99 })];
    expect(topmost(all).map(({ pid }) => pid)).toEqual([1, 3, 4]);
  });
});
