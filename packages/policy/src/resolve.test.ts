import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from './_laws.ts';
import { reference } from './_reference.ts';
import {
  ACCESSES,
  applied,
  documentOf,
  onlyAllow,
  onlyNarrow,
  oneSpec,
  prepareAll,
  resolved,
  somePolicies,
  someSubject,
  VARIABLES,
  type Access,
} from './_small-world.ts';
import { createDecider, type Decider } from './decide/decider.ts';
import { prepareFloor } from './document/prepare.ts';
import type { AppliedPolicy, Explanation, Subject } from './effective.ts';
import { resolve, resolveAudit } from './resolve.ts';

const ask = (decider: Decider, asked: Access): Explanation => {
  switch (asked.kind) {
    case 'path':
      return decider.path(asked.path, asked.access);
    case 'host':
      return decider.host(asked.host, asked.port, asked.http);
    case 'right':
      return decider.right(asked.right);
    case 'variable':
      return decider.variable(asked.name);
  }
};

/** Everything that is allowed, as text. */
const allowed = (policies: readonly AppliedPolicy[], subject: Subject, floor?: Parameters<typeof resolved>[2]): ReadonlySet<string> => {
  const decider = createDecider(resolved(policies, subject, floor));
  return new Set(ACCESSES.filter((asked) => ask(decider, asked).verdict === 'allowed').map((asked) => JSON.stringify(asked)));
};
const subset = (a: ReadonlySet<string>, b: ReadonlySet<string>): string[] => [...a].filter((asked) => !b.has(asked));
const law = (runs = LAW_RUNS): { numRuns: number } => ({ numRuns: runs });

describe('resolution', () => {
  it('means what the documents say, asked the slow obvious way', () => {
    fc.assert(
      fc.property(somePolicies, someSubject, (policies, subject) => {
        const effective = resolved(policies, subject);
        const decider = createDecider(effective);
        const differ = ACCESSES.filter(
          (asked) => ask(decider, asked).verdict !== reference(policies, subject, VARIABLES, effective.workspace.allowed, asked),
        );
        expect(differ).toEqual([]);
      }),
      law(),
    );
  });

  it('is commutative: the order of policies changes nothing at all', () => {
    fc.assert(
      fc.property(somePolicies, someSubject, fc.infiniteStream(fc.nat(1000)), (policies, subject, keys) => {
        const shuffled = policies
          .map((policy) => ({ policy, key: keys.next().value ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ policy }) => policy);
        expect(resolved(shuffled, subject)).toEqual(resolved(policies, subject));
      }),
      law(),
    );
  });

  it('is idempotent and associative: a policy twice, or sets joined in whatever grouping, are the same set', () => {
    fc.assert(
      fc.property(somePolicies, someSubject, fc.nat(5), (policies, subject, cut) => {
        const all = resolved(policies, subject);
        expect(resolved([...policies, ...policies], subject)).toEqual(all);
        expect(resolved([...policies.slice(cut), ...policies.slice(0, cut), ...policies.slice(0, 1)], subject)).toEqual(all);
      }),
      law(),
    );
  });

  it('never grants by an added deny or limit', () => {
    fc.assert(
      fc.property(somePolicies, onlyNarrow, someSubject, (policies, narrow, subject) => {
        const before = allowed(policies, subject);
        // A policy that only narrows grants nothing, and it cannot be what makes a launch possible.
        const after = policies.length === 0 ? new Set<string>() : allowed([...policies, applied(9, documentOf('added', narrow))], subject);
        const effective = resolved(policies, subject);
        if (effective.refused === undefined) expect(subset(after, before)).toEqual([]);
      }),
      law(),
    );
  });

  it('never takes power away by an added allow', () => {
    fc.assert(
      fc.property(somePolicies, onlyAllow, someSubject, (policies, more, subject) => {
        expect(subset(allowed(policies, subject), allowed([...policies, applied(9, documentOf('added', more))], subject))).toEqual([]);
      }),
      law(),
    );
  });

  it('never widens by a match that cannot be proven', () => {
    fc.assert(
      fc.property(somePolicies, fc.constantFrom('claude-code', 'codex', 'unknown'), (policies, id) => {
        const as = (proof: 'proven' | 'claimed', agent: string): Subject => ({ agent: { id: agent, proof }, user: 'u', os: 'linux' });
        const claimed = allowed(policies, as('claimed', id));
        // Whatever it claims to be, it has no more than every agent that it may truly be.
        for (const truly of ['claude-code', 'codex', 'something-else'])
          expect(subset(claimed, allowed(policies, as('proven', truly)))).toEqual([]);
      }),
      law(),
    );
  });

  it('always holds the floor and the built-in sets', () => {
    fc.assert(
      fc.property(somePolicies, oneSpec, someSubject, (policies, content, subject) => {
        const floor = prepareFloor(documentOf('floor', content), 1);
        expect(subset(allowed(policies, subject, floor), allowed(policies, subject))).toEqual([]);
        const decider = createDecider(resolved(policies, subject, floor));
        for (const path of ['/home/u/.ssh/id', '/home/u/.config/gh/hosts.yml', '/run/docker.sock', '/var/lib/cordon/device-key'])
          expect(decider.path(path, 'read').verdict).toBe('denied');
        for (const path of ['/home/u/w/.git/hooks/x', '/home/u/.bashrc', '/home/u/w/.mcp.json'])
          expect(decider.path(path, 'write').verdict).toBe('denied');
      }),
      law(),
    );
  });

  it('knows an account by any case where the system does', () => {
    const policies = [applied(1, documentOf('p', { match: { users: ['Alice'] }, deny: { run: true } }))];
    const code = (os: Subject['os']) => resolved(policies, { agent: { id: 'x', proof: 'proven' }, user: 'alice', os }).refused?.code;
    expect([code('macos'), code('linux')]).toEqual(['launch.denied', 'launch.no-policy']);
  });

  it('takes the floor for what it narrows only: an allow in it grants nothing', () => {
    const floor = prepareFloor(documentOf('floor', { allow: { filesystem: { read: ['/srv'] } } }), 1);
    const subject: Subject = { agent: { id: 'x', proof: 'proven' }, user: 'u', os: 'linux' };
    expect(resolved([], subject, floor).refused?.code).toBe('launch.no-policy');
  });

  it('evaluates audit policies beside the enforced ones, never among them', () => {
    fc.assert(
      fc.property(somePolicies, someSubject, (policies, subject) => {
        const enforced = policies.filter(({ document }) => document.spec.mode !== 'audit');
        expect(resolved(policies, subject)).toEqual(resolved(enforced, subject));
        const audit = resolveAudit({ policies: prepareAll(policies), floor: undefined, subject, variables: VARIABLES });
        const asIfEnforced = policies.map((policy) => ({
          ...policy,
          document: documentOf(policy.name, { ...policy.document.spec, mode: 'enforce' }),
        }));
        if (enforced.length === policies.length) expect(audit).toBeUndefined();
        else
          expect([...(audit?.paths ?? [])].map(({ path, access, effect }) => [path, access, effect])).toEqual(
            resolved(asIfEnforced, subject).paths.map(({ path, access, effect }) => [path, access, effect]),
          );
      }),
      law(),
    );
  });
});

describe('an explanation', () => {
  it('names rules whose absence turns the verdict, and what would be without each policy', () => {
    fc.assert(
      fc.property(somePolicies, someSubject, fc.constantFrom(...ACCESSES), (policies, subject, asked) => {
        const effective = resolved(policies, subject);
        fc.pre(effective.refused === undefined);
        const answer = ask(createDecider(effective), asked);
        const gone = new Set(answer.decisive.map(({ rule }) => rule));
        const keep = <T extends { readonly origin: { readonly rule: string } }>(rules: readonly T[]): readonly T[] =>
          rules.filter(({ origin }) => !gone.has(origin.rule));
        const removable = answer.decisive.length > 0 && answer.decisive.every(({ source }) => source === 'policy');
        if (removable) {
          const without = createDecider({
            ...effective,
            paths: keep(effective.paths),
            pathLimits: keep(effective.pathLimits),
            hosts: keep(effective.hosts),
            hostLimits: keep(effective.hostLimits),
            cidrs: keep(effective.cidrs),
            cidrLimits: keep(effective.cidrLimits),
            rights: keep(effective.rights),
            rightLimits: keep(effective.rightLimits),
            environment: keep(effective.environment),
            environmentLimits: keep(effective.environmentLimits),
          });
          expect(ask(without, asked).verdict).not.toBe(answer.verdict);
        }
        for (const { policy, verdict } of answer.without) {
          const rest = resolved(
            policies.filter(({ name }) => name !== policy),
            subject,
          );
          // Taking a policy away may leave nothing that permits a launch, or permit another workspace: those are other questions.
          if (rest.refused === undefined && rest.workspace.allowed === effective.workspace.allowed)
            expect({ policy, verdict: ask(createDecider(rest), asked).verdict }).toEqual({ policy, verdict });
        }
      }),
      law(LAW_RUNS * 2),
    );
  });

  it('says the same as the fast decision', () => {
    fc.assert(
      fc.property(somePolicies, someSubject, (policies, subject) => {
        const effective = resolved(policies, subject);
        fc.pre(effective.refused === undefined);
        const decider = createDecider(effective);
        for (const asked of ACCESSES) {
          if (asked.kind === 'path')
            expect(decider.paths.allows(asked.path, asked.access)).toBe(decider.path(asked.path, asked.access).verdict === 'allowed');
          if (asked.kind === 'host')
            expect(decider.egress.allows(asked.host, asked.port, asked.http)).toBe(
              decider.host(asked.host, asked.port, asked.http).verdict === 'allowed',
            );
        }
      }),
      law(),
    );
  });

  it('names revision, assignment and group, what is shadowed, and the missing allow', () => {
    const subject: Subject = { agent: { id: 'claude-code', proof: 'proven' }, user: 'u', os: 'linux' };
    const policies = [
      applied(1, documentOf('base', { allow: { filesystem: { read: ['/srv'] } } })),
      applied(2, documentOf('strict', { deny: { filesystem: { access: ['/srv/d', '/var/x'] } } })),
    ];
    const decider = createDecider(resolved(policies, subject));
    const denied = decider.path('/srv/d/e', 'read');
    expect(denied).toMatchObject({
      verdict: 'denied',
      effect: 'deny',
      rule: { policy: 'strict', revision: 1 },
      shadowed: [{ policy: 'base' }],
      without: [
        { policy: 'base', verdict: 'denied' },
        { policy: 'strict', verdict: 'allowed' },
      ],
    });
    expect(denied.reason).toMatch(/^denied by rule r_[0-9a-f]{12} of policy strict, revision 1, assigned to developers$/);
    expect(decider.path('/var/x/y', 'read').reason).toContain('and nothing allows it');
    expect(decider.path('/elsewhere', 'read')).toMatchObject({ effect: 'default', rule: undefined, decisive: [] });
    expect(resolve({ policies: [], floor: undefined, subject, variables: VARIABLES }).refused?.code).toBe('launch.no-policy');
  });
});
