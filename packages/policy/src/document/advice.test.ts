import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitrarySpec, effectiveOf, LAUNCH, policyOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS } from '../_laws.ts';
import { createDecider } from '../decide/decider.ts';
import { advise } from './advice.ts';
import type { PolicyDocument } from './schema.ts';
import { expandPath, parsePathText } from './variables.ts';

type Spec = PolicyDocument['spec'];

const advised = (spec: Spec): readonly string[] =>
  advise(policyOf(0, spec).document).map(({ code, path }) => `${code} ${path.slice(1).join('.')}`);

describe('advice', () => {
  it.each<[string, Spec, readonly string[]]>([
    ['nothing to say', { allow: { filesystem: { write: ['${workspace}'] }, network: { hosts: [{ host: 'a.test' }] } } }, []],
    ['an agent that nothing is', { match: { agents: ['claude-code', 'claude-cod', '*'] } }, ['advice.unknown-agent match.agents.1']],
    [
      'every public address',
      { allow: { network: { hosts: [{ host: 'a.test' }, { host: '*' }] } } },
      ['advice.broad-host allow.network.hosts.1.host'],
    ],
    [
      'a deny or limit of every host',
      { deny: { network: { hosts: [{ host: '*' }] } }, limit: { network: { hosts: [{ host: '*' }] } } },
      [],
    ],
    [
      'forwards that are denied, or that claim one port for two places',
      {
        allow: {
          network: {
            forwards: [
              { host: 'a.test', port: 22 },
              { host: 'b.test', port: 22, at: 2222 },
              { host: 'c.test', port: 22, at: 2222 },
              { host: 'c.test', port: 23, at: 2323 },
            ],
          },
        },
        deny: { network: { hosts: [{ host: 'a.test' }, { host: 'c.test', ports: [443] }] } },
      },
      [
        'advice.shadowed allow.network.forwards.0',
        'advice.forward-claimed allow.network.forwards.1.at',
        'advice.forward-claimed allow.network.forwards.2.at',
      ],
    ],
    [
      'methods on the port of HTTPS',
      {
        allow: {
          network: {
            hosts: [
              { host: 'a.test', methods: ['GET'], ports: [80, 443] },
              { host: 'b.test', paths: ['/x'], ports: [443] },
              { host: 'c.test', methods: ['GET'] },
              { host: 'd.test', ports: [443] },
            ],
          },
        },
      },
      ['advice.no-tunnel allow.network.hosts.0', 'advice.no-tunnel allow.network.hosts.1'],
    ],
    [
      'a deny of a single file',
      {
        deny: {
          filesystem: {
            access: [
              '${workspace}/.env',
              '${home}/keys/server.pem',
              '${home}/keys',
              '${home}/.secrets',
              '/etc/conf.d',
              'C:\\data\\key.pfx',
            ],
            write: ['${workspace}/package.json'],
          },
        },
      },
      [
        'advice.file-deny deny.filesystem.access.0',
        'advice.file-deny deny.filesystem.access.1',
        'advice.file-deny deny.filesystem.access.5',
      ],
    ],
    ['where Linux is not meant', { match: { os: ['macos', 'windows'] }, deny: { filesystem: { access: ['${workspace}/.env'] } } }, []],
    [
      'folders in denied ones',
      {
        allow: { filesystem: { read: ['${home}/a/b', '${home}/ab', '${home}'], write: ['${workspace}/x', '${home}/c'] } },
        deny: { filesystem: { access: ['${home}/a'], write: ['${workspace}'] } },
      },
      ['advice.shadowed allow.filesystem.read.0', 'advice.shadowed allow.filesystem.write.0'],
    ],
    [
      'hosts in denied ones',
      {
        allow: {
          network: {
            hosts: [
              { host: 'x.a.test' },
              { host: '*.b.a.test' },
              { host: 'a.test' },
              { host: 'c.test', ports: [443, 80] },
              { host: 'd.test' },
              { host: '8.8.8.8' },
            ],
          },
        },
        deny: { network: { hosts: [{ host: '*.a.test' }, { host: 'c.test', ports: [443] }, { host: 'd.test', methods: ['POST'] }] } },
      },
      ['advice.shadowed allow.network.hosts.0', 'advice.shadowed allow.network.hosts.1'],
    ],
    [
      'networks and names in denied ones',
      {
        allow: { network: { cidrs: [{ cidr: '9.9.9.0/24' }, { cidr: '9.0.0.0/8' }] }, environment: ['LANG', 'TOKEN'] },
        deny: { network: { cidrs: [{ cidr: '9.9.0.0/16' }] }, environment: ['TOKEN'] },
      },
      ['advice.shadowed allow.network.cidrs.0', 'advice.shadowed allow.environment.1'],
    ],
  ])('%s', (_, spec, expected) => {
    expect(advised(spec)).toEqual(expected);
  });

  it('says whether reading too is beaten', () => {
    const spec: Spec = {
      allow: { filesystem: { write: ['${workspace}/x', '${home}/y'] } },
      deny: { filesystem: { access: ['${home}/y'], write: ['${workspace}'] } },
    };
    expect(advise(policyOf(0, spec).document).map(({ message }) => message)).toEqual([
      'the deny of ${workspace} beats this allow: writing it is never granted',
      'the deny of ${home}/y beats this allow: it is never granted',
    ]);
  });

  it('what is called shadowed is denied, on every system', () => {
    fc.assert(
      fc.property(arbitrarySpec, fc.constantFrom('linux' as const, 'macos' as const, 'windows' as const), (spec, os) => {
        const enforced: Spec = { ...spec, mode: 'enforce', match: {} };
        const decider = createDecider(effectiveOf([policyOf(0, enforced)], os));
        for (const { code, path } of advise(policyOf(0, enforced).document).filter((finding) => finding.code === 'advice.shadowed')) {
          const [, , section, kind, i] = path;
          expect(code).toBe('advice.shadowed');
          if (section === 'filesystem' && (kind === 'read' || kind === 'write'))
            for (const place of expandPath(parsePathText(spec.allow?.filesystem?.[kind]?.[Number(i)] ?? ''), LAUNCH[os], os))
              expect(decider.path(place, kind).verdict === 'denied' || decider.path(place, kind).rule?.source === 'builtin').toBe(true);
          if (section === 'network' && kind === 'hosts') {
            const { host = '', ports = [443, 80] } = spec.allow?.network?.hosts?.[Number(i)] ?? {};
            if (!host.includes('*')) for (const port of ports) expect(decider.host(host, port).verdict).toBe('denied');
          }
          if (section === 'network' && kind === 'forwards') {
            const { host = '', port = 0 } = spec.allow?.network?.forwards?.[Number(i)] ?? {};
            expect(decider.host(host, port).verdict).toBe('denied');
          }
          if (section === 'environment') expect(decider.variable(spec.allow?.environment?.[Number(kind)] ?? '').verdict).toBe('denied');
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
