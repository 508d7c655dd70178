import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, arbitrarySystem, askedPaths, LAUNCH, policyOf } from '../_arbitrary-policy.ts';
import { ASKED_HOSTS } from '../_asked.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { preparePolicy } from '../document/prepare.ts';
import type { AppliedPolicy, Explanation, PathVariables } from '../effective.ts';
import { CordonError } from '../errors.ts';
import { explainPath } from '../explain.ts';
import { createDecider } from '../decide/decider.ts';
import { resolve } from '../resolve.ts';
import { subjectOf, type RecordedAccess, type RecordedEgress } from './recorded.ts';
import { createSimulation, type SimulationLimits, type SimulationResult } from './simulation.ts';

const who = {
  device: fc.constantFrom('dev-1', 'dev-2', 'dev-3'),
  agent: fc.constantFrom('claude-code', 'codex', 'unheard-of'),
  proof: fc.constantFrom('proven' as const, 'claimed' as const),
  osUser: fc.constantFrom('ann', 'bob'),
};
const verdict = fc.constantFrom('allowed' as const, 'denied' as const);
const someEvent: fc.Arbitrary<RecordedAccess> = arbitrarySystem.chain((os) =>
  fc.oneof(
    fc.record(
      {
        kind: fc.constant('egress' as const),
        ...who,
        os: fc.constant(os),
        host: fc.oneof({ arbitrary: fc.constantFrom(...ASKED_HOSTS), weight: 8 }, fc.constantFrom('127.1', 'API.example.com.', '', 'a b')),
        port: fc.constantFrom(443, 80, 8443),
        http: fc.record({ method: fc.constantFrom('GET', 'POST'), path: fc.constantFrom('/api/x', '/other', undefined) }),
        verdict,
      },
      { requiredKeys: ['kind', 'device', 'agent', 'osUser', 'os', 'host', 'port', 'verdict'] },
    ),
    fc.record(
      {
        kind: fc.constant('file' as const),
        ...who,
        os: fc.constant(os),
        path: fc.oneof({ arbitrary: fc.constantFrom(...askedPaths(os)), weight: 8 }, fc.constantFrom('relative', '/a/../b')),
        access: fc.constantFrom('read' as const, 'write' as const),
        verdict,
      },
      { requiredKeys: ['kind', 'device', 'agent', 'osUser', 'os', 'path', 'access'] },
    ),
  ),
);
/** Bob's launches are known to nobody. */
const variablesFor = ({ os, osUser }: RecordedAccess): PathVariables | undefined => (osUser === 'bob' ? undefined : LAUNCH[os]);

interface Told {
  readonly change: 'denied' | 'allowed' | 'unchanged' | 'withoutVariables' | 'notUnderstood';
  readonly row: string;
  readonly was: 'allowed' | 'denied' | undefined;
}

/** The slow obvious way: resolve and explain each event by itself. */
const reference = (before: readonly AppliedPolicy[], after: readonly AppliedPolicy[], event: RecordedAccess): Told => {
  const variables = event.kind === 'file' ? variablesFor(event) : LAUNCH[event.os];
  if (variables === undefined) return { change: 'withoutVariables', row: '', was: undefined };
  const explain = (policies: readonly AppliedPolicy[]): Explanation => {
    const effective = resolve({ policies: policies.map(preparePolicy), floor: undefined, subject: subjectOf(event), variables });
    return event.kind === 'file'
      ? explainPath(effective, event.path, event.access)
      : createDecider(effective).host(event.host, event.port, event.http);
  };
  let was: Explanation, is: Explanation;
  try {
    [was, is] = [explain(before), explain(after)];
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return { change: 'notUnderstood', row: '', was: undefined };
  }
  if (was.verdict === is.verdict) return { change: 'unchanged', row: '', was: was.verdict };
  const row = [is.verdict, event.device, event.agent, is.rule?.rule, was.rule?.rule].join(' ');
  return { change: is.verdict, row, was: was.verdict };
};

const simulate = (
  before: readonly AppliedPolicy[],
  after: readonly AppliedPolicy[],
  events: readonly RecordedAccess[],
  limits: Partial<SimulationLimits> = {},
): SimulationResult => {
  const simulation = createSimulation({ before: before.map(preparePolicy), after: after.map(preparePolicy), variablesFor, limits });
  for (const event of events) simulation.add(event);
  return simulation.result();
};

describe('a simulation', () => {
  it(
    'says what resolving and explaining each event says, whatever it has room to keep',
    () => {
      fc.assert(
        fc.property(
          arbitraryPolicies,
          arbitraryPolicies,
          fc.array(someEvent, { maxLength: 40 }),
          fc.record({ subjects: fc.nat(3), targets: fc.nat(3), rows: fc.nat(6) }),
          (before, after, events, limits) => {
            const told = events.map((event) => reference(before, after, event));
            const of = (change: Told['change']): number => told.filter((one) => one.change === change).length;
            const totals = {
              events: events.length,
              unchanged: of('unchanged'),
              denied: of('denied'),
              allowed: of('allowed'),
              undecided: { withoutVariables: of('withoutVariables'), notUnderstood: of('notUnderstood') },
              disagreed: told.filter(({ was }, i) => was !== undefined && events[i]?.verdict !== undefined && events[i].verdict !== was)
                .length,
            };
            const whole = simulate(before, after, events);
            expect(whole).toMatchObject({ ...totals, overflow: 0 });
            const rows = Map.groupBy(
              told.filter(({ row }) => row !== ''),
              ({ row }) => row,
            );
            expect(
              whole.rows
                .map(({ change, device, agent, rule, was, count }) => [[change, device, agent, rule?.rule, was?.rule].join(' '), count])
                .sort(),
            ).toEqual([...rows].map(([row, all]) => [row, all.length]).sort());
            const small = simulate(before, after, events, limits);
            expect(small).toMatchObject(totals);
            expect(small.rows.length).toBeLessThanOrEqual(limits.rows);
            expect(small.rows.reduce((sum, { count }) => sum + count, 0) + small.overflow).toBe(small.denied + small.allowed);
          },
        ),
        { numRuns: LAW_RUNS },
      );
    },
    LAW_TIMEOUT_MS,
  );

  const egress = (host: string, more: Partial<RecordedEgress> = {}): RecordedAccess => ({
    kind: 'egress',
    device: 'dev-1',
    agent: 'claude-code',
    osUser: 'ann',
    os: 'linux',
    host,
    port: 443,
    verdict: 'allowed',
    ...more,
  });
  const before = [policyOf(0, { allow: { network: { hosts: [{ host: '*.example.com' }] } } })];
  const after = [
    policyOf(0, { allow: { network: { hosts: [{ host: '*.example.com' }, { host: 'other.test' }] } } }),
    policyOf(1, { deny: { network: { hosts: [{ host: 'paste.example.com' }] } } }),
  ];

  it('tells by device, agent and rule what is newly denied or allowed, the most frequent first, with examples', () => {
    const { rows, ...rest } = simulate(before, after, [
      ...['dev-1', 'dev-2', 'dev-2'].map((device) => egress('paste.example.com', { device })),
      egress('other.test', { verdict: 'denied' }),
      egress('a.example.com'),
    ]);
    expect(rest).toEqual({
      events: 5,
      unchanged: 1,
      denied: 3,
      allowed: 1,
      undecided: { withoutVariables: 0, notUnderstood: 0 },
      disagreed: 0,
      overflow: 0,
    });
    expect(rows).toMatchObject([
      {
        change: 'denied',
        device: 'dev-2',
        count: 2,
        rule: { policy: 'policy-1' },
        was: { policy: 'policy-0' },
        examples: ['paste.example.com:443'],
      },
      { change: 'allowed', device: 'dev-1', count: 1, rule: { policy: 'policy-0' }, examples: ['other.test:443'] },
      { change: 'denied', device: 'dev-1', count: 1, agent: 'claude-code' },
    ]);
    expect(rows[1]?.was).toBeUndefined();
  });

  it('says how many records the set before does not explain', () => {
    expect(simulate(before, after, [egress('a.example.com', { verdict: 'denied', code: 'egress.private' })]).disagreed).toBe(1);
  });

  it('counts what finds no row, and keeps at most so many examples', () => {
    const hosts = Array.from({ length: 20 }, (_, i) => egress(`h${i}.example.com`, { device: `dev-${i % 4}` }));
    const { rows, denied, overflow } = simulate(before, [], hosts, { rows: 3 });
    expect({ rows: rows.length, denied, overflow }).toEqual({ rows: 3, denied: 20, overflow: 5 });
    expect(rows.every(({ examples }) => examples.length === 5)).toBe(true);
  });

  it('keeps subjects apart whose names run into each other', () => {
    const match = (agent: string, user: string) =>
      policyOf(0, { match: { agents: [agent], users: [user] }, allow: { network: { hosts: [{ host: '*' }] } } });
    const { denied, unchanged } = simulate(
      [match('a', '1 b')],
      [],
      [egress('x.test', { agent: 'a', osUser: '1 b' }), egress('x.test', { agent: 'a 1', osUser: 'b' })],
    );
    expect({ denied, unchanged }).toEqual({ denied: 1, unchanged: 1 });
  });
});
