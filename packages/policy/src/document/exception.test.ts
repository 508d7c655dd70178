import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { applied, documentOf, onlyAllow, prepareAll, somePolicies, someSubject, VARIABLES } from '../_small-world.ts';
import type { AppliedPolicy } from '../effective.ts';
import { resolve } from '../resolve.ts';
import { prepareException, withExceptions, type Exception } from './exception.ts';
import { ruleId } from './rules.ts';

const NOW = new Date('2026-01-01T00:00:00.000Z');
const LATER = '2026-01-01T01:00:00.000Z';
const exception = (change: Exception['change'], expiresAt = LATER): Exception => ({
  id: 'exc_1',
  name: 'exception',
  expiresAt,
  because: [],
  change,
});

/** Without the names of rules and policies, which an exception has of its own. */
const meaning = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (key: string, member: unknown) => (key === 'origin' ? undefined : member)));

describe('an exception', () => {
  it('that allows is the same set with the rule added', () => {
    fc.assert(
      fc.property(somePolicies, onlyAllow, someSubject, (policies, spec, subject) => {
        const { allow = {}, match } = spec;
        const change: Exception['change'] = { kind: 'allow', allow, ...(match !== undefined && { match }) };
        const added = [
          ...prepareAll(policies),
          ...prepareAll([{ ...applied(0, documentOf('exception', { ...spec, required: [] })), policy: 'exception:exc_1' }]),
        ];
        const excepted = withExceptions(prepareAll(policies), [prepareException(exception(change))], NOW);
        const of = (set: typeof added): unknown =>
          meaning(
            resolve({ policies: set, floor: undefined, subject, variables: VARIABLES })
              .paths.map((rule) => JSON.stringify(meaning(rule)))
              .sort(),
          );
        expect(of([...excepted])).toEqual(of(added));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('that suspends a rule is the same set with the rule gone', () => {
    fc.assert(
      fc.property(somePolicies, someSubject, fc.nat(), (policies, subject, pick) => {
        const rules = policies.flatMap((policy) =>
          (policy.document.spec.deny?.filesystem?.access ?? []).map((text) => ({
            policy,
            text,
            rule: ruleId(policy.policy, 'deny', 'filesystem.access', text),
          })),
        );
        const chosen = rules[pick % Math.max(1, rules.length)];
        fc.pre(chosen !== undefined);
        const gone = policies.map((policy): AppliedPolicy => {
          if (policy !== chosen.policy) return policy;
          const { deny, ...spec } = policy.document.spec;
          const access = (deny?.filesystem?.access ?? []).filter((text) => text !== chosen.text);
          return {
            ...policy,
            document: documentOf(policy.name, { ...spec, deny: { ...deny, filesystem: { ...deny?.filesystem, access } } }),
          };
        });
        const suspended = withExceptions(
          prepareAll(policies),
          [prepareException(exception({ kind: 'suspend', policy: chosen.policy.policy, revision: 1, rule: chosen.rule }))],
          NOW,
        );
        const of = (set: readonly ReturnType<typeof prepareAll>[number][]): unknown =>
          resolve({ policies: set, floor: undefined, subject, variables: VARIABLES });
        expect(of(suspended)).toEqual(of(prepareAll(gone)));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('ends by itself', () => {
    const policies = prepareAll([applied(1, documentOf('p', { deny: { run: true } }))]);
    const rule = ruleId('pol_1', 'deny', 'run', true);
    const suspend = prepareException(exception({ kind: 'suspend', policy: 'pol_1', revision: 1, rule }));
    expect(withExceptions(policies, [suspend], NOW)[0]?.noRun).toBeUndefined();
    expect(withExceptions(policies, [suspend], new Date(LATER))).toEqual(policies);
  });

  it('is for one revision: another revision keeps its rule', () => {
    const policies = prepareAll([applied(1, documentOf('p', { deny: { run: true } }))]);
    const suspend = prepareException(
      exception({ kind: 'suspend', policy: 'pol_1', revision: 2, rule: ruleId('pol_1', 'deny', 'run', true) }),
    );
    expect(withExceptions(policies, [suspend], NOW)[0]?.noRun).toBeDefined();
  });

  it('suspends statements of which the strictest counts as well', () => {
    const policies = prepareAll([applied(1, documentOf('p', { limit: { resources: { timeout: '30m' } } }))]);
    const suspend = prepareException(
      exception({ kind: 'suspend', policy: 'pol_1', revision: 1, rule: ruleId('pol_1', 'limit', 'resources.timeout', '30m') }),
    );
    expect(withExceptions(policies, [suspend], NOW)[0]?.timeoutMs).toBeUndefined();
  });
});
