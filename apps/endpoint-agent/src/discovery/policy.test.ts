import type { Privacy } from '@cordon/policy/effective.ts';
import { describe, expect, it } from 'vitest';
import { discreet, discreetInventory, settingsFor } from './policy.ts';

const FULL: Privacy = { paths: 'full', hosts: 'full', users: 'full' };
const account = { name: 'ada', uid: 1000, gid: 1000, home: '/home/ada' };

describe('what is told of agents', () => {
  it.each<readonly [privacy: Partial<Privacy>, place: string, user: RegExp]>([
    [{}, '/home/ada/bin/codex', /^ada$/],
    [{ paths: 'folder' }, '/home/ada/bin', /^ada$/],
    [{ paths: 'none' }, '', /^ada$/],
    [{ users: 'none' }, '/home/ada/bin/codex', /^$/],
    [{ users: 'pseudonym' }, '/home/ada/bin/codex', /^user-[0-9a-f]{16}$/],
  ])('is as private as the policy wants: %j', (privacy, place, user) => {
    const told = discreet({ osUser: 'ada', place: '/home/ada/bin/codex' }, { ...FULL, ...privacy }, 'dev_1');
    expect(told.place).toBe(place);
    expect(told.osUser).toMatch(user);
  });

  it('has a pseudonym that is the same each time on a device, and another one on each; the machine has none', () => {
    const of = (osUser: string, device: string): string => discreet({ osUser }, { ...FULL, users: 'pseudonym' }, device).osUser;
    expect(of('ada', 'dev_1')).toBe(of('ada', 'dev_1'));
    expect(new Set([of('ada', 'dev_1'), of('ada', 'dev_2'), of('bob', 'dev_1')]).size).toBe(3);
    expect(of('', 'dev_1')).toBe('');
  });

  it('is judged for each agent and account, and of a server the program is a name and no place', () => {
    const base = { agent: 'codex', osUser: 'ada' };
    const inventory = {
      agents: [{ ...base, source: 'package' as const, place: '/p/x', version: '', running: 'no' as const }],
      servers: [
        { ...base, osUser: 'bob', name: 'n', scope: 'user' as const, transport: 'program' as const, program: 'npx', file: '${home}/x' },
      ],
      uncontained: [],
      leftOut: 0,
    };
    const asked: string[] = [];
    const told = discreetInventory(
      inventory,
      (agent, user) => {
        asked.push(`${agent} ${user}`);
        return { ...FULL, paths: 'none' };
      },
      'dev_1',
    );
    expect(asked).toEqual(['codex ada', 'codex bob']);
    expect([told.agents[0]?.place, told.servers[0]?.program, told.servers[0]?.file]).toEqual(['', 'npx', '${home}/x']);
  });

  it('is everything, and nothing is stopped, while nothing is in force', () => {
    expect(settingsFor(undefined, 'codex', '/x', account)).toEqual({ uncontained: 'report', privacy: FULL });
  });
});
