import { describe, expect, it } from 'vitest';
import type { AgentsReport } from '../discovery/requests.ts';
import { agentsLines } from './agents.ts';

const REPORT: AgentsReport = {
  agents: [
    { agent: 'claude-code', osUser: 'ada', source: 'package', place: '/home/ada/x', version: '2.1.7', running: 'uncontained' },
    { agent: 'codex', osUser: '', source: 'name', place: '/usr/bin/codex', version: '', running: 'contained' },
  ],
  servers: [
    { agent: 'codex', osUser: 'ada', name: 'gh', scope: 'user', transport: 'program', program: 'npx', file: '${home}/.codex/config.toml' },
    { agent: 'codex', osUser: 'ada', name: 'odd', scope: 'user', transport: 'program', program: '', file: '${home}/.codex/config.toml' },
    {
      agent: 'codex',
      osUser: 'ada',
      name: 'web',
      scope: 'project',
      transport: 'remote',
      program: '',
      file: '${workspace}/.codex/config.toml',
    },
  ],
  uncontained: [
    {
      agent: 'claude-code',
      osUser: 'ada',
      evidence: 'package',
      program: '/home/ada/x/cli.js',
      action: 'failed',
      firstAt: '2026-11-24T12:00:00.000Z',
      lastAt: '2026-11-24T12:00:09.000Z',
      times: 3,
      running: true,
    },
  ],
  leftOut: 2,
  listedAt: '2026-11-24T12:00:00.000Z',
  policy: { 'claude-code': 'stop' },
};

describe('what a person reads of agents', () => {
  it('says whose, where, how it runs, what was done, and what had no room', () => {
    expect(agentsLines(REPORT)).toEqual([
      'claude-code 2.1.7 of ada: /home/ada/x (package), RUNS OUTSIDE CONTAINMENT',
      'codex of this machine: /usr/bin/codex (name), runs contained',
      '',
      'MCP servers',
      '  gh: starts npx; codex of ada, user, ${home}/.codex/config.toml',
      '  odd: starts a program that cannot be told from its arguments; codex of ada, user, ${home}/.codex/config.toml',
      '  web: elsewhere, over the network; codex of ada, project, ${workspace}/.codex/config.toml',
      '',
      'Outside containment',
      '  claude-code of ada: /home/ada/x/cli.js (by package), 3 times, still runs; COULD NOT BE STOPPED, the policy says stop',
      '',
      '2 more had no room here',
      '',
      'listed at 2026-11-24T12:00:00.000Z; what runs is of this moment',
    ]);
  });

  it('says so when there is nothing', () => {
    const nothing = { ...REPORT, agents: [], servers: [], uncontained: [], leftOut: 0 };
    expect(agentsLines(nothing)[0]).toBe('no AI agent was found here');
  });
});
