import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, arbitrarySystem, effectiveOf, LAUNCH, policyOf } from './_arbitrary-policy.ts';
import { allowedOf, beyond } from './_asked.ts';
import { LAW_RUNS } from './_laws.ts';
import { createDecider } from './decide/decider.ts';
import { preparePolicy } from './document/prepare.ts';
import type { PolicyDocument } from './document/schema.ts';
import { EXPIRIES, ISOLATIONS, type AppliedPolicy, type EffectivePolicy, type OperatingSystem, type PathVariables } from './effective.ts';
import { enclose } from './enclosure.ts';
import { explainHost, explainPath } from './explain.ts';
import { resolve } from './resolve.ts';

type Spec = PolicyDocument['spec'];

const under = (policies: readonly AppliedPolicy[], os: OperatingSystem, variables: PathVariables): EffectivePolicy =>
  resolve({
    policies: policies.map(preparePolicy),
    floor: undefined,
    subject: { agent: { id: 'codex', proof: 'proven' }, user: 'ann', os },
    variables,
  });
const effective = (spec: Spec, variables: PathVariables = LAUNCH.linux): EffectivePolicy => under([policyOf(0, spec)], 'linux', variables);

/** Where else a child may be started: another workspace, other tools, another private tmp. */
const elsewhere = (os: OperatingSystem): PathVariables => {
  const { home } = LAUNCH[os];
  return os === 'windows'
    ? { home, workspace: 'C:\\data\\a', tmp: 'C:\\data\\b', tools: ['C:\\data'], agent: [`${home}\\x`] }
    : { home, workspace: '/srv/a/b', tmp: '/srv/ab', tools: ['/srv'], agent: [`${home}/x`] };
};

describe('the law of nested runs', () => {
  it('what a child may do, its own policies allow and its parent may do too', () => {
    let some = 0;
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryPolicies, arbitrarySystem, fc.boolean(), (theirs, own, os, moved) => {
        const parent = effectiveOf(theirs, os);
        const child = under(own, os, moved ? elsewhere(os) : LAUNCH[os]);
        const allowed = allowedOf(enclose(child, parent));
        expect(beyond(allowed, allowedOf(child))).toEqual([]);
        expect(beyond(allowed, allowedOf(parent))).toEqual([]);
        some += allowed.size;
      }),
      { numRuns: LAW_RUNS },
    );
    expect(some).toBeGreaterThan(0);
  });

  it('a child under its parent’s own policy may do exactly what its parent may', () => {
    fc.assert(
      fc.property(arbitraryPolicies, arbitrarySystem, (policies, os) => {
        const parent = effectiveOf(policies, os);
        expect(allowedOf(enclose(parent, parent))).toEqual(allowedOf(parent));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('three levels deep, a grandchild is within each of them', () => {
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryPolicies, arbitraryPolicies, arbitrarySystem, (first, second, third, os) => {
        const [top, middle, low] = [effectiveOf(first, os), under(second, os, LAUNCH[os]), under(third, os, elsewhere(os))];
        const allowed = allowedOf(enclose(low, enclose(middle, top)));
        for (const level of [low, middle, top]) expect(beyond(allowed, allowedOf(level))).toEqual([]);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('enclosing twice is enclosing once, to the last rule', () => {
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryPolicies, arbitrarySystem, (theirs, own, os) => {
        const parent = effectiveOf(theirs, os);
        const once = enclose(under(own, os, elsewhere(os)), parent);
        expect(enclose(once, parent)).toEqual(once);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('resources and settings are never softer than those of either', () => {
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryPolicies, (theirs, own) => {
        const [parent, child] = [effectiveOf(theirs, 'linux'), under(own, 'linux', LAUNCH.linux)];
        const result = enclose(child, parent);
        for (const { resources, settings, required } of [parent, child]) {
          for (const key of ['timeoutMs', 'memoryBytes', 'cpus', 'processes'] as const)
            expect(result.resources[key]?.value ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(
              resources[key]?.value ?? Number.POSITIVE_INFINITY,
            );
          const strength = ({ isolation }: EffectivePolicy['settings']): number => ISOLATIONS.indexOf(isolation?.value ?? 'process');
          expect(strength(result.settings)).toBeGreaterThanOrEqual(strength(settings));
          expect(EXPIRIES.indexOf(result.settings.onExpiry)).toBeGreaterThanOrEqual(EXPIRIES.indexOf(settings.onExpiry));
          expect(result.settings.graceMs).toBeLessThanOrEqual(settings.graceMs);
          expect(result.required).toEqual(expect.arrayContaining([...required]));
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });
});

describe('what a nested run is told', () => {
  const parent = effective({
    allow: {
      filesystem: { write: ['${workspace}'] },
      network: { hosts: [{ host: 'api.example.com' }, { host: 'intranet.test' }], cidrs: [{ cidr: '9.9.0.0/16' }] },
      environment: ['LANG'],
    },
    deny: { filesystem: { access: ['${workspace}/secrets'] } },
  });
  const wide: Spec = {
    allow: {
      filesystem: { write: ['${home}/src'] },
      network: {
        hosts: [{ host: '*' }, { host: 'intranet.test', private: true }, { host: '9.9.1.1' }, { host: '8.8.8.8' }],
        ingress: true,
      },
      environment: ['LANG', 'TOKEN'],
    },
  };
  const child = enclose(effective(wide), parent);
  const { home } = LAUNCH.linux;

  it('outside its parent it is refused, and the reason names the parent', () => {
    const { verdict, rule, reason } = explainPath(child, `${home}/src/other`, 'write');
    expect({ verdict, source: rule?.source, reason }).toEqual({
      verdict: 'denied',
      source: 'parent',
      reason: 'outside the run that started this one, which may not do it itself',
    });
    expect(explainHost(child, 'other.test', 443).rule?.source).toBe('parent');
    expect(createDecider(child).right('network.ingress').rule?.source).toBe('parent');
    expect(createDecider(child).variable('TOKEN').rule?.source).toBe('parent');
  });

  it('inside its parent it may do what its own policies allow', () => {
    expect(explainPath(child, `${home}/src/app/file`, 'write').verdict).toBe('allowed');
    expect(explainHost(child, 'api.example.com', 443).verdict).toBe('allowed');
    expect(createDecider(child).variable('LANG').verdict).toBe('allowed');
  });

  it('what a rule denies to its parent is denied to it by that same rule', () => {
    const { verdict, rule } = explainPath(child, `${home}/src/app/secrets/key`, 'read');
    expect({ verdict, rule }).toEqual({ verdict: 'denied', rule: explainPath(parent, `${home}/src/app/secrets`, 'read').rule });
  });

  it('an address by number is within a network that its parent may reach', () => {
    expect(explainHost(child, '9.9.1.1', 443).verdict).toBe('allowed');
    expect(explainHost(child, '8.8.8.8', 443)).toMatchObject({ verdict: 'denied', rule: { source: 'parent' } });
  });

  it('a private address needs a rule of the parent that says private', () => {
    expect(explainHost(child, 'intranet.test', 443).verdict).toBe('allowed');
    expect(createDecider(child).egress.judged('intranet.test', 443).private).toBe(false);
    const trusted = effective({ allow: { network: { hosts: [{ host: 'intranet.test', private: true }] } } });
    expect(createDecider(enclose(effective(wide), trusted)).egress.judged('intranet.test', 443).private).toBe(true);
  });

  it('a place in its parent’s private tmp is not granted from the host', () => {
    const inTmp = enclose(effective({ allow: { filesystem: { write: ['/tmp/work'] } } }), parent);
    expect(explainPath(inTmp, '/tmp/work', 'write').verdict).toBe('allowed'); // in its own
    // Compilers grant what every limit permits, and only the built-in allow is above them.
    const permitting = inTmp.pathLimits.filter(
      ({ origin, paths }) => origin.source === 'parent' && paths.some((path) => '/tmp/work'.startsWith(path)),
    );
    expect(permitting).toEqual([]);
  });

  it('where nothing may start for its parent, nothing starts for it', () => {
    const refused = effective({ deny: { run: true } });
    expect(enclose(effective(wide), refused).refused?.code).toBe('launch.denied');
    expect(enclose(refused, parent).refused?.code).toBe('launch.denied');
  });
});
