import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { arbitraryPolicies, arbitrarySpec, arbitrarySystem, effectiveOf, LAUNCH, policyOf } from '../_arbitrary-policy.ts';
import { allowedOf, beyond } from '../_asked.ts';
import { LAW_RUNS } from '../_laws.ts';
import { createDecider } from '../decide/decider.ts';
import type { PolicyDocument } from '../document/schema.ts';
import type { EffectivePolicy, OperatingSystem } from '../effective.ts';
import { explainHost, explainPath } from '../explain.ts';
import { applyManifest } from './apply.ts';
import { needs } from './needs.ts';
import { parseManifest } from './parse.ts';
import type { AgentManifest, Needs } from './schema.ts';
import { unmetNeeds } from './unmet.ts';

type Spec = PolicyDocument['spec'];

const manifestOf = (required: Needs, optional?: Needs, name = 'weather'): AgentManifest => ({
  apiVersion: 'cordon/v1',
  kind: 'AgentManifest',
  metadata: { name },
  needs: { required, ...(optional !== undefined && { optional }) },
});

/** What allows say is what manifests may say, but for networks by number. */
const needsOf = ({
  allow: { identity: _identity, network: { cidrs: _cidrs, forwards: _forwards, ...network } = {}, ...allow } = {},
}: Spec): Needs => ({
  ...allow,
  network,
});
const arbitraryManifest: fc.Arbitrary<AgentManifest> = fc
  .tuple(arbitrarySpec, arbitrarySpec)
  .map(([required, optional]) => manifestOf(needsOf(required), needsOf(optional)));

const effective = (spec: Spec, os: OperatingSystem = 'linux'): EffectivePolicy => effectiveOf([policyOf(0, spec)], os);
const apply = (policy: EffectivePolicy, manifest: AgentManifest): EffectivePolicy =>
  applyManifest(policy, manifest, LAUNCH[policy.subject.os]);

describe('the law of manifests', () => {
  it('what is allowed under a manifest, policies allow and the manifest asks for', () => {
    let some = 0;
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryManifest, arbitrarySystem, (policies, manifest, os) => {
        const policy = effectiveOf(policies, os);
        const under = apply(policy, manifest);
        const allowed = allowedOf(under);
        expect(beyond(allowed, allowedOf(policy))).toEqual([]);
        // As a policy of its own that allows what the manifest asks for, both sides.
        const { required = {}, optional = {} } = manifest.needs;
        const asPolicy = effectiveOf([policyOf(0, { allow: required }), policyOf(1, { allow: optional })], os);
        const identity = [...allowed].filter((text) => text.startsWith('identity '));
        expect(beyond(allowed, new Set([...allowedOf(asPolicy), ...identity]))).toEqual([]);
        some += allowed.size;
      }),
      { numRuns: LAW_RUNS },
    );
    expect(some).toBeGreaterThan(0);
  });

  it('where policies allow what the manifest asks for, it is allowed', () => {
    fc.assert(
      fc.property(arbitraryManifest, arbitrarySystem, (manifest, os) => {
        const { required = {}, optional = {} } = manifest.needs;
        const policy = effectiveOf([policyOf(0, { allow: required }), policyOf(1, { allow: optional })], os);
        expect(allowedOf(apply(policy, manifest))).toEqual(allowedOf(policy));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('applied twice is applied once, and the order of policies changes nothing', () => {
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryManifest, arbitrarySystem, (policies, manifest, os) => {
        const once = apply(effectiveOf(policies, os), manifest);
        expect(apply(once, manifest)).toEqual(once);
        expect(apply(effectiveOf(policies.toReversed(), os), manifest)).toEqual(once);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('a required need is unmet exactly where it is denied, with or without the manifest applied', () => {
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryManifest, (policies, manifest) => {
        const policy = effectiveOf(policies, 'linux');
        const unmet = unmetNeeds(policy, manifest, LAUNCH.linux);
        expect(unmetNeeds(apply(policy, manifest), manifest, LAUNCH.linux)).toEqual(unmet);
        const named = new Set(unmet.map(({ need }) => need));
        const decider = createDecider(policy);
        const { environment = [], filesystem, network } = manifest.needs.required ?? {};
        for (const name of environment) expect(named.has(`environment ${name}`)).toBe(decider.variable(name).verdict === 'denied');
        for (const text of (filesystem?.write ?? []).filter((path) => path.startsWith('/')))
          expect(named.has(`filesystem.write ${text}`)).toBe(decider.path(text, 'write').verdict === 'denied');
        for (const { host, methods, paths, ports = [443], private: asked } of network?.hosts ?? [])
          if (!host.includes('*') && methods === undefined && paths === undefined && asked === undefined)
            for (const port of ports)
              expect(named.has(`network.hosts ${host}:${port}`)).toBe(decider.host(host, port).verdict === 'denied');
      }),
      { numRuns: LAW_RUNS },
    );
  });
});

describe('what a manifest leaves', () => {
  const generous: Spec = {
    allow: {
      filesystem: { read: ['/srv'], write: ['${workspace}'] },
      network: { hosts: [{ host: '*' }, { host: 'intranet.test', private: true }, { host: '*', ports: [80] }] },
      ui: { clipboard: 'all' },
      environment: ['LANG', 'TOKEN'],
      identity: { hosts: ['api.example.com', 'other.test'] },
    },
  };
  const modest = manifestOf(
    { filesystem: { read: ['${workspace}'] }, network: { hosts: [{ host: 'api.example.com' }] } },
    { environment: ['LANG'], ui: { clipboard: 'read' }, network: { hosts: [{ host: 'intranet.test' }] } },
  );
  const under = apply(effective(generous), modest);
  const { workspace = '' } = LAUNCH.linux;

  it('what it asks for, required or optional, is allowed by the policy’s rule', () => {
    expect(explainPath(under, `${workspace}/file`, 'read')).toMatchObject({ verdict: 'allowed', rule: { source: 'policy' } });
    expect(explainHost(under, 'api.example.com', 443)).toMatchObject({ verdict: 'allowed', rule: { source: 'policy' } });
    expect(createDecider(under).variable('LANG').verdict).toBe('allowed');
    expect(createDecider(under).right('ui.clipboard.read').verdict).toBe('allowed');
  });

  it('what it does not ask for is denied, and the reason says so', () => {
    for (const explanation of [
      explainPath(under, `${workspace}/file`, 'write'),
      explainPath(under, '/srv/a', 'read'),
      explainHost(under, 'other.test', 443),
      explainHost(under, 'api.example.com', 80),
      createDecider(under).variable('TOKEN'),
      createDecider(under).right('ui.clipboard.write'),
    ])
      expect(explanation).toMatchObject({
        verdict: 'denied',
        rule: { source: 'manifest', policy: 'weather' },
        reason: 'outside the manifest of the agent, which does not ask for it',
      });
  });

  it('private addresses only where it says private', () => {
    expect(createDecider(effective(generous)).egress.judged('intranet.test', 443).private).toBe(true);
    expect(createDecider(under).egress.judged('intranet.test', 443).private).toBe(false);
    const asking = manifestOf({ network: { hosts: [{ host: 'intranet.test', private: true }] } });
    expect(createDecider(apply(effective(generous), asking)).egress.judged('intranet.test', 443).private).toBe(true);
  });

  it('the run’s identity goes only to hosts that it asks for', () => {
    expect(under.identity.map(({ host }) => host)).toEqual(['api.example.com']);
  });

  it('the system and the private tmp stay', () => {
    expect(explainPath(under, '/usr/bin/env', 'read').verdict).toBe('allowed');
    expect(explainPath(under, '/tmp/x', 'write').verdict).toBe('allowed');
  });

  it('one that asks for nothing leaves nothing else', () => {
    expect(allowedOf(apply(effective(generous), { ...modest, needs: {} }))).toEqual(allowedOf(effective({})));
  });
});

describe('a need that is not met', () => {
  const unmet = (spec: Spec, required: Needs): readonly string[] =>
    unmetNeeds(effective(spec), manifestOf(required), LAUNCH.linux).map(({ need }) => need);

  it.each<[string, Spec['allow'], Needs, readonly string[]]>([
    ['nothing is needed', {}, {}, []],
    ['a folder, granted above', { filesystem: { write: ['/srv'] } }, { filesystem: { write: ['/srv/a'], read: ['/srv'] } }, []],
    ['a folder, granted below', { filesystem: { write: ['/srv/a'] } }, { filesystem: { read: ['/srv'] } }, ['filesystem.read /srv']],
    [
      'writing, granted for reading',
      { filesystem: { read: ['${workspace}'] } },
      { filesystem: { write: ['${workspace}/out'] } },
      ['filesystem.write ${workspace}/out'],
    ],
    ['a place of another system', {}, { filesystem: { read: ['C:\\data'] } }, []],
    [
      'each port',
      { network: { hosts: [{ host: 'a.test' }] } },
      { network: { hosts: [{ host: 'a.test', ports: [443, 80] }] } },
      ['network.hosts a.test:80'],
    ],
    [
      'a pattern under a wider one',
      { network: { hosts: [{ host: '*.example.com' }] } },
      { network: { hosts: [{ host: '*.api.example.com' }] } },
      [],
    ],
    [
      'a pattern under a name',
      { network: { hosts: [{ host: 'x.example.com' }] } },
      { network: { hosts: [{ host: '*.example.com' }] } },
      ['network.hosts *.example.com:443'],
    ],
    ['every host', { network: { hosts: [{ host: '*.example.com' }] } }, { network: { hosts: [{ host: '*' }] } }, ['network.hosts *:443']],
    ['every host, granted', { network: { hosts: [{ host: '*' }] } }, { network: { hosts: [{ host: '*' }] } }, []],
    [
      'a method',
      { network: { hosts: [{ host: 'a.test', methods: ['GET'] }] } },
      { network: { hosts: [{ host: 'a.test', methods: ['GET', 'POST'] }] } },
      ['network.hosts POST http://a.test:80/'],
    ],
    [
      'every method, where two are granted',
      { network: { hosts: [{ host: 'a.test', methods: ['GET', 'POST'] }] } },
      { network: { hosts: [{ host: 'a.test', paths: ['/api'] }] } },
      ['network.hosts * http://a.test:80/api'],
    ],
    [
      'a private host',
      { network: { hosts: [{ host: 'db.test' }] } },
      { network: { hosts: [{ host: 'db.test', private: true }] } },
      ['network.hosts db.test:443 (private)'],
    ],
    [
      'rights',
      { ui: { clipboard: 'read' } },
      { ui: { clipboard: 'all', windows: true }, network: { ingress: true } },
      ['ui.windows', 'ui.clipboard.write', 'network.ingress'],
    ],
    ['variables', { environment: ['LANG'] }, { environment: ['LANG', 'TOKEN'] }, ['environment TOKEN']],
  ])('%s', (_, allow, required, expected) => {
    expect(unmet({ allow: allow ?? {} }, required)).toEqual(expected);
  });

  it('says which rule stands in the way', () => {
    const [first] = unmetNeeds(
      effective({ allow: { filesystem: { write: ['${home}'] } }, deny: { filesystem: { write: ['${workspace}'] } } }),
      manifestOf({ filesystem: { write: ['${workspace}/out'] } }),
      LAUNCH.linux,
    );
    expect(first?.explanation).toMatchObject({ verdict: 'denied', effect: 'deny', rule: { policy: 'policy-0' } });
    expect(first?.explanation.reason).toContain('denied by rule r_');
  });

  it('a workspace that is none is said to be none', () => {
    const policy = effective({ allow: { filesystem: { write: ['${workspace}'] } }, deny: { workspaces: ['${home}'] } });
    const [first] = unmetNeeds(policy, manifestOf({ filesystem: { write: ['${workspace}'] } }), LAUNCH.linux);
    expect(first).toMatchObject({ need: 'filesystem.write ${workspace}', explanation: { reason: policy.workspace.why } });
  });

  it('what is optional is never unmet, and where nothing starts nothing is met', () => {
    expect(unmetNeeds(effective({}), manifestOf({}, { environment: ['TOKEN'] }), LAUNCH.linux)).toEqual([]);
    const [first] = unmetNeeds(
      effective({ allow: { network: { hosts: [{ host: 'a.test' }] } }, deny: { run: true } }),
      manifestOf({ network: { hosts: [{ host: 'a.test' }] } }),
      LAUNCH.linux,
    );
    expect(first?.explanation.reason).toContain('nothing starts here');
  });
});

describe('the text of a manifest', () => {
  const HEAD = 'apiVersion: cordon/v1\nkind: AgentManifest\nmetadata: { name: weather }\n';
  const issuesOf = (text: string): readonly unknown[] => {
    try {
      parseManifest(text);
      return [];
    } catch (error) {
      const { code, issues } = error as {
        code: string;
        issues: readonly { code: string; line: number; column: number; pointer: string }[];
      };
      expect(code).toBe('manifest.invalid');
      return issues.map((issue) => `${issue.line}:${issue.column} ${issue.code} ${issue.pointer}`);
    }
  };

  it('is YAML or JSON', () => {
    const { document } = parseManifest(`${HEAD}needs: { required: { environment: [LANG] } }`);
    expect(parseManifest(JSON.stringify(document)).document).toEqual(document);
    expect(document.needs.required?.environment).toEqual(['LANG']);
  });

  it('is as strict as a policy, and says every error with its place', () => {
    const text = `${HEAD}needs:
  required:
    filesystem: { raed: ["/srv"], write: ["\${home}/.ssh", "relative"] }
    network: { hosts: [{ host: "*.com" }, { host: 10.0.0.1 }] }
    environment: [LD_PRELOAD]
  optional:
    ui: { clipboard: everything }
`;
    expect(issuesOf(text)).toEqual([
      '6:19 manifest.unknown-key /needs/required/filesystem/raed',
      '6:43 path.never-granted /needs/required/filesystem/write/0',
      '6:59 path.invalid /needs/required/filesystem/write/1',
      '7:32 host.invalid /needs/required/network/hosts/0/host',
      '7:51 host.private /needs/required/network/hosts/1/host',
      '8:19 environment.loader /needs/required/environment/0',
      '10:22 manifest.value /needs/optional/ui/clipboard',
    ]);
  });

  it('is at most 64 KiB', () => {
    expect(issuesOf(`${HEAD}needs: {}\n#${'x'.repeat(65_536)}`)).toEqual(['1:1 manifest.too-large ']);
  });
});

describe('the annotation', () => {
  it('gives back the very function or tool, and does nothing', async () => {
    const fetchWeather = async (city: string): Promise<string> => `sun in ${city}`;
    const annotated = needs({ network: { hosts: [{ host: 'api.weather.example' }] } }, fetchWeather);
    expect(annotated).toBe(fetchWeather);
    expectTypeOf(annotated).toEqualTypeOf(fetchWeather);
    expect(await annotated('Oslo')).toBe('sun in Oslo');
    const tool = { name: 'weather', execute: fetchWeather };
    expect(needs({ environment: ['WEATHER_KEY'], optional: { ui: { clipboard: 'write' } } }, tool)).toBe(tool);
    expect(needs({ filesystem: { read: ['${workspace}'] } })).toBeUndefined();
  });
});
