import { describe, expect, it } from 'vitest';
import { effectiveOf, policyOf } from '../_arbitrary-policy.ts';
import { prepareFloor, preparePolicy } from '../document/prepare.ts';
import type { AppliedPolicy, EffectivePolicy, OperatingSystem } from '../effective.ts';
import { resolve } from '../resolve.ts';
import { deltaOf, narrows } from './delta.ts';

type Spec = AppliedPolicy['document']['spec'];

const effective = (spec: Spec, os: OperatingSystem = 'linux'): EffectivePolicy => effectiveOf([policyOf(0, spec)], os);
const gained = (before: Spec, after: Spec) => deltaOf(effective(before), effective(after)).gained;
/** `category target cause`, one line each. */
const lines = (before: Spec, after: Spec): readonly string[] =>
  gained(before, after).map(({ category, target, cause }) => `${category} ${target} ${cause}`);

const home = '/home/ann';

describe('what is gained', () => {
  const cases: readonly { readonly what: string; readonly before: Spec; readonly after: Spec; readonly told: readonly string[] }[] = [
    {
      what: 'a new writable place',
      before: {},
      after: { allow: { filesystem: { write: ['${home}/x'] } } },
      told: [`filesystem.write ${home}/x allow-added`],
    },
    {
      what: 'a new readable place',
      before: {},
      after: { allow: { filesystem: { read: ['${home}/x'] } } },
      told: [`filesystem.read ${home}/x allow-added`],
    },
    {
      what: 'writing where reading was allowed',
      before: { allow: { filesystem: { read: ['${home}/x'] } } },
      after: { allow: { filesystem: { write: ['${home}/x'] } } },
      told: [`filesystem.write ${home}/x allow-added`],
    },
    {
      what: "a new readable place of somebody else's credentials",
      before: {},
      after: { allow: { filesystem: { read: ['/home/bob/.ssh'] } } },
      told: ['filesystem.credentials /home/bob/.ssh allow-added'],
    },
    {
      what: 'a place that reads like one of credentials, inside another gain',
      before: { deny: { filesystem: { access: ['/srv/app/secrets'] } } },
      after: { allow: { filesystem: { write: ['/srv/app'] } }, limit: { filesystem: { read: ['/srv/app', '/srv/app/secrets'] } } },
      told: ['filesystem.write /srv/app allow-added', 'filesystem.credentials /srv/app/secrets allow-added'],
    },
    {
      what: 'a new host',
      before: {},
      after: { allow: { network: { hosts: [{ host: 'example.com' }] } } },
      told: ['network.host example.com:443 allow-added'],
    },
    {
      what: 'more ports of a host',
      before: { allow: { network: { hosts: [{ host: 'example.com' }] } } },
      after: { allow: { network: { hosts: [{ host: 'example.com', ports: [22, 443, 8443] }] } } },
      told: ['network.host example.com:22,8443 allow-added'],
    },
    {
      what: 'a name at private addresses too',
      before: { allow: { network: { hosts: [{ host: 'intranet.test' }] } } },
      after: { allow: { network: { hosts: [{ host: 'intranet.test', private: true }] } } },
      told: ['network.host intranet.test:443 allow-added'],
    },
    {
      what: 'a tunnel where only plain HTTP was allowed',
      before: { allow: { network: { hosts: [{ host: 'example.com', ports: [80], methods: ['GET'], paths: ['/api'] }] } } },
      after: { allow: { network: { hosts: [{ host: 'example.com', ports: [80] }] } } },
      told: ['network.host example.com:80 allow-added'],
    },
    {
      what: 'a method of plain HTTP',
      before: { allow: { network: { hosts: [{ host: 'example.com', methods: ['GET'] }] } } },
      after: { allow: { network: { hosts: [{ host: 'example.com', methods: ['GET', 'POST'] }] } } },
      told: ['network.host example.com:80 allow-added'],
    },
    {
      what: 'a network',
      before: {},
      after: { allow: { network: { cidrs: [{ cidr: '9.9.0.0/16', except: ['9.9.9.0/24'] }] } } },
      told: ['network.address 9.9.0.0-9.9.8.255 and 1 more:443 allow-added'],
    },
    {
      what: 'a network of version 6',
      before: {},
      after: { allow: { network: { cidrs: [{ cidr: '2600::/32' }] } } },
      told: ['network.address 2600::/32:443 allow-added'],
    },
    {
      what: 'an address by number',
      before: {},
      after: { allow: { network: { hosts: [{ host: '8.8.8.8', ports: [53] }] } } },
      told: ['network.address 8.8.8.8:53 allow-added'],
    },
    {
      what: 'addresses that a name may lead to, when the denied network is dropped',
      before: { allow: { network: { hosts: [{ host: 'example.com' }] } }, deny: { network: { cidrs: [{ cidr: '9.9.0.0/16' }] } } },
      after: { allow: { network: { hosts: [{ host: 'example.com' }] } } },
      told: ['network.address 9.9.0.0/16:* deny-dropped'],
    },
    {
      what: 'the clipboard',
      before: { allow: { ui: { clipboard: 'read' } } },
      after: { allow: { ui: { clipboard: 'all' } } },
      told: ['ui.clipboard ui.clipboard.write allow-added'],
    },
    {
      what: 'injection of input',
      before: {},
      after: { allow: { ui: { inputInjection: true } } },
      told: ['ui.input-injection ui.input-injection allow-added'],
    },
    { what: 'windows', before: {}, after: { allow: { ui: { windows: true } } }, told: ['ui.windows ui.windows allow-added'] },
    {
      what: 'ingress and the loopback of the host',
      before: {},
      after: { allow: { network: { ingress: true, hostLoopback: true } } },
      told: ['network.ingress network.ingress allow-added', 'network.host-loopback network.host-loopback allow-added'],
    },
    {
      what: 'weaker isolation',
      before: { limit: { isolation: 'vm' } },
      after: { limit: { isolation: 'session' } },
      told: ['isolation isolation statement'],
    },
    {
      what: 'a place, by a dropped deny',
      before: { allow: { filesystem: { read: ['${home}/x'] } }, deny: { filesystem: { access: ['${home}/x/y'] } } },
      after: { allow: { filesystem: { read: ['${home}/x'] } } },
      told: [`filesystem.read ${home}/x/y deny-dropped`],
    },
    {
      what: 'a host, by a dropped deny',
      before: {
        allow: { network: { hosts: [{ host: '*.example.com' }] } },
        deny: { network: { hosts: [{ host: 'paste.example.com' }] } },
      },
      after: { allow: { network: { hosts: [{ host: '*.example.com' }] } } },
      told: ['network.host paste.example.com:443 deny-dropped'],
    },
    {
      what: 'a place, by a looser limit',
      before: { allow: { filesystem: { write: ['${home}/x'] } }, limit: { filesystem: { write: ['${workspace}'] } } },
      after: { allow: { filesystem: { write: ['${home}/x'] } }, limit: { filesystem: { write: ['${workspace}', '${home}/x/y'] } } },
      told: [`filesystem.write ${home}/x/y limit-loosened`],
    },
    {
      what: 'resources, by looser and by dropped limits',
      before: { limit: { resources: { timeout: '90s', memory: '512MiB', cpu: 1, processes: 1 } } },
      after: { limit: { resources: { timeout: '8h', memory: '4GiB', processes: 512 } } },
      told: ['resources cpu statement', 'resources memory statement', 'resources processes statement', 'resources timeout statement'],
    },
    {
      what: 'a control that is no longer required',
      before: {},
      after: { required: ['filesystem.read', 'filesystem.write'] },
      told: ['required network.hosts statement'],
    },
    { what: 'softer expiry', before: { onExpiry: 'stop' }, after: { onExpiry: 'tighten' }, told: ['expiry onExpiry statement'] },
    { what: 'longer grace', before: { grace: '0s' }, after: {}, told: ['grace grace statement'] },
    {
      what: 'agents outside containment, which are only reported now',
      before: { uncontained: 'stop' },
      after: {},
      told: ['uncontained uncontained statement'],
    },
    {
      what: 'more in telemetry',
      before: { privacy: { paths: 'none', hosts: 'domain' } },
      after: { privacy: { hosts: 'domain' } },
      told: ['privacy privacy.paths statement'],
    },
    { what: 'a name of the environment', before: {}, after: { allow: { environment: ['CI'] } }, told: ['environment CI allow-added'] },
    {
      what: 'a host that receives the identity of the run',
      before: {},
      after: { allow: { identity: { hosts: ['api.example.com'] } } },
      told: ['identity api.example.com allow-added'],
    },
    {
      what: 'a workspace',
      before: { deny: { workspaces: ['${home}/src'] }, allow: { filesystem: { write: ['${workspace}'] } } },
      after: { allow: { filesystem: { write: ['${workspace}'] } } },
      told: [`filesystem.write ${home}/src/app allow-added`, 'workspace workspace statement'],
    },
    {
      what: 'the launch itself, and with it what policies allow but not what every run has',
      before: { deny: { run: true } },
      after: { allow: { environment: ['CI'] } },
      told: ['launch claude-code launch-permitted', 'environment CI launch-permitted'],
    },
    {
      what: 'nothing, by a deny that is dropped where nothing is allowed',
      before: { deny: { filesystem: { access: ['${home}/x'] } } },
      after: {},
      told: [],
    },
  ];
  for (const { what, before, after, told } of cases)
    it(`is ${what}`, () => {
      expect(lines(before, after)).toEqual(told);
      expect(narrows(effective(before), effective(after))).toBe(told.length === 0 ? 'yes' : 'no');
    });

  it('names the rule that makes the difference and says both reasons', () => {
    const [entry] = gained(
      { allow: { filesystem: { read: ['${home}/x'] } }, deny: { filesystem: { access: ['${home}/x/y'] } } },
      { allow: { filesystem: { read: ['${home}/x'] } } },
    );
    expect(entry?.by?.policy).toBe('policy-0');
    expect(entry?.detail).toMatch(/^readable: allowed by rule r_[0-9a-f]{12} of policy policy-0.*; before: denied by rule r_/);
  });

  it('says of a name that changes what programs load that it does', () => {
    const [entry] = gained({}, { allow: { environment: ['LD_PRELOAD'] } });
    expect(entry).toMatchObject({ category: 'environment', target: 'LD_PRELOAD' });
    expect(entry?.detail).toMatch(/^passed on, and it changes what programs load or run/);
  });

  it('is told once for one grant, however many places, hosts and networks lie in it', () => {
    const many = Array.from({ length: 300 }, (_, i) => i);
    const rules: Spec = {
      deny: {
        filesystem: { write: many.map((i) => `/srv/a/d${i}`) },
        network: { hosts: many.map((i) => ({ host: `h${i}.example.com`, ports: [22] })) },
      },
    };
    const told = lines(rules, {
      ...rules,
      allow: {
        filesystem: { read: ['/srv/a'] },
        network: {
          hosts: [{ host: '*.example.com' }],
          cidrs: [{ cidr: '9.9.0.0/16', except: many.slice(0, 250).map((i) => `9.9.${i}.0/25`) }],
        },
      },
    });
    expect(told).toEqual([
      'filesystem.read /srv/a allow-added',
      'network.host *.example.com:443 allow-added',
      'network.address 9.9.0.128/25 and 249 more:443 allow-added',
    ]);
  });

  it('is told again below a place that is not gained', () => {
    const before: Spec = { allow: { filesystem: { read: ['/srv/a/b'] } }, deny: { filesystem: { access: ['/srv/a/b/c'] } } };
    const after: Spec = { allow: { filesystem: { read: ['/srv/a', '/srv/a/b'] } } };
    expect(lines(before, after)).toEqual(['filesystem.read /srv/a allow-added', 'filesystem.read /srv/a/b/c deny-dropped']);
  });

  it('does not count case where the system does not', () => {
    const spec = (path: string): Spec => ({ allow: { filesystem: { read: [path] } } });
    expect(narrows(effective(spec('${home}/x'), 'macos'), effective(spec('${home}/X/y'), 'macos'))).toBe('yes');
    expect(narrows(effective(spec('${home}/x'), 'linux'), effective(spec('${home}/X/y'), 'linux'))).toBe('no');
  });

  it('is a policy whose denies are only audited now', () => {
    const policies = (mode: 'enforce' | 'audit'): readonly AppliedPolicy[] => [
      policyOf(0, { allow: { filesystem: { read: ['/srv'] } } }),
      policyOf(1, { mode, deny: { filesystem: { access: ['/srv/a'] } } }),
    ];
    const [before, after] = [effectiveOf(policies('enforce'), 'linux'), effectiveOf(policies('audit'), 'linux')];
    expect(deltaOf(before, after).gained).toMatchObject([{ category: 'filesystem.read', target: '/srv/a', cause: 'deny-dropped' }]);
  });

  it('is a part of the floor that is dropped', () => {
    const under = (spec: Spec | undefined): EffectivePolicy =>
      resolve({
        policies: [preparePolicy(policyOf(0, { allow: { network: { hosts: [{ host: '*' }] } } }))],
        floor: spec === undefined ? undefined : prepareFloor({ ...policyOf(1, spec).document }, 1),
        subject: { agent: { id: 'x', proof: 'proven' }, user: 'ann', os: 'linux' },
        variables: { home, workspace: undefined, tmp: '/tmp', tools: [], agent: [] },
      });
    const floor: Spec = { deny: { network: { hosts: [{ host: '*.pastebin.com' }] } } };
    expect(deltaOf(under(floor), under(undefined)).gained).toMatchObject([
      { category: 'network.host', target: '*.pastebin.com:443', cause: 'deny-dropped', by: { source: 'floor' } },
    ]);
  });
});

describe('what is lost', () => {
  it('is told with the rule that takes it', () => {
    const rules: Spec = { allow: { filesystem: { read: ['${home}/x'] }, network: { hosts: [{ host: 'example.com' }] } } };
    const { gained: more, lost } = deltaOf(
      effective(rules),
      effective({ ...rules, deny: { filesystem: { access: ['${home}/x'] } }, limit: { network: { hosts: [] } } }),
    );
    expect(more).toEqual([]);
    expect(lost.map(({ category, target, cause }) => `${category} ${target} ${cause}`)).toEqual([
      `filesystem.read ${home}/x deny-added`,
      'network.host example.com:443 limit-tightened',
    ]);
    expect(lost[0]?.detail).toMatch(/^readable: denied by rule r_.*; before: allowed by rule r_/);
  });

  it('is all that was allowed when the launch is refused', () => {
    const { lost } = deltaOf(
      effective({ allow: { environment: ['CI'] } }),
      effective({ allow: { environment: ['CI'] }, deny: { run: true } }),
    );
    expect(lost.map(({ category, cause }) => `${category} ${cause}`)).toEqual(['launch launch-refused', 'environment launch-refused']);
  });
});

it('refuses to compare paths of two systems', () => {
  expect(() => deltaOf(effective({}, 'linux'), effective({}, 'windows'))).toThrow(expect.objectContaining({ code: 'delta.os' }));
});
