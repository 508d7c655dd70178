import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { preparePolicy } from '@cordon/policy/document/prepare.ts';
import { explainHost } from '@cordon/policy/explain.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { policyText } from '../../tests/_policy.ts';
import type { Decision } from '../egress/messages.ts';
import { compileFor } from '../runs/decide.ts';
import { effectiveOf } from '../runs/nesting.ts';
import type { LiveRun } from '../runs/run-table.ts';
import { createAuditor, type AuditorOptions } from './auditor.ts';

const NOW = new Date('2026-03-01T12:00:00.000Z');
const HOST = { installation: [] };
const stateOf = (...specs: readonly string[]): VerifiedState =>
  ({
    digest: specs.join(),
    epoch: 0,
    cohort: 'coh_1',
    serial: 1,
    prepared: specs.map((spec, i) =>
      preparePolicy({
        policy: `pol_${i}`,
        name: `policy-${i}`,
        revision: 1,
        document: parsePolicy(policyText(spec)).document,
        because: [],
      }),
    ),
    exceptions: [],
    judgedAt: NOW,
    freshness: 'current',
  }) as Partial<VerifiedState> as VerifiedState;

const begin = (state: VerifiedState) => {
  const asked = {
    subject: { agent: { id: 'unknown', proof: 'claimed' }, user: 'dev', os: 'linux' },
    account: { name: 'dev', uid: 1000, gid: 1000, home: '/home/dev' },
    cwd: '/var/tmp',
    manifest: undefined,
    parent: undefined,
  } as const;
  const effective = effectiveOf(state, asked);
  const plan = compileFor(effective, HOST);
  const live: LiveRun = {
    ...asked,
    run: { run: 'run_1' } as Partial<LiveRun['run']> as LiveRun['run'],
    effective,
    filesystem: plan.request.filesystem,
    network: plan.egress,
    startedAt: 0,
  };
  const told: Parameters<AuditorOptions['counted']['add']>[0][] = [];
  let inForce = state;
  const auditor = createAuditor({ runs: { all: () => [live] }, state: () => inForce, counted: { add: (event) => told.push(event) } });
  const decide = (host: string, more: Partial<Decision> = {}): void => {
    const { verdict, rule } = explainHost(effective, host, 443);
    const code = verdict === 'denied' ? { code: 'egress.denied' } : {};
    auditor.decided({ run: 'run_1', verdict, host, port: 443, rule: rule?.rule ?? '', policy: rule?.policy ?? '', ...code, ...more });
  };
  return { ...auditor, live, effective, told, decide, replace: (next: VerifiedState) => void (inForce = next) };
};

const OPEN = 'allow: { network: { hosts: [{ host: "*" }] }, filesystem: { read: [/usr/local] } }';
const AUDIT = 'mode: audit\n';

describe('policies in audit mode', () => {
  it('say of the network where they would have decided otherwise, and nothing where they would not', () => {
    const { decide, told } = begin(stateOf(OPEN, `${AUDIT}deny: { network: { hosts: [{ host: evil.example }] } }`));
    decide('good.example');
    decide('evil.example');
    expect(told).toMatchObject([
      { kind: 'audit', access: 'network', target: 'evil.example:443', verdict: 'denied', enforced: 'allowed', policy: 'policy-1' },
    ]);
  });

  it('say what they would have allowed', () => {
    const { decide, told } = begin(stateOf('allow: {}', `${AUDIT}allow: { network: { hosts: [{ host: new.example }] } }`));
    decide('new.example');
    decide('other.example');
    expect(told).toMatchObject([{ target: 'new.example:443', verdict: 'allowed', enforced: 'denied', policy: 'policy-1' }]);
  });

  it('are asked about the request that was made, and the addresses that it led to', () => {
    const state = stateOf(
      'allow: { network: { hosts: [{ host: web.example, ports: [80, 443] }] } }',
      `${AUDIT}deny: { network: { cidrs: [{ cidr: 192.0.2.0/24 }], hosts: [{ host: web.example, methods: [POST], ports: [80] }] } }`,
    );
    const { decide, told } = begin(state);
    decide('web.example', { port: 80, verdict: 'allowed', http: { method: 'GET', path: '/' }, addresses: ['203.0.113.1'] });
    expect(told).toEqual([]);
    decide('web.example', { port: 80, verdict: 'allowed', http: { method: 'POST', path: '/' } });
    decide('web.example', { addresses: ['192.0.2.7'] });
    decide('web.example', { addresses: ['192.0.2.7', '203.0.113.1'] });
    expect(told).toMatchObject([{ target: 'web.example:80' }, { target: 'web.example:443' }]);
  });

  it('say nothing of what was denied for another reason than a rule about the name', () => {
    const { decide, told } = begin(stateOf('allow: {}', `${AUDIT}${OPEN}`));
    decide('a.example', { verdict: 'denied', code: 'egress.private' });
    expect(told).toEqual([]);
  });

  it('say whether a run would have started, and with what it was given', () => {
    const refused = begin(stateOf(OPEN, `${AUDIT}deny: { run: true }`));
    refused.began(refused.live);
    expect(refused.told).toMatchObject([{ access: 'run', target: 'launch.denied', verdict: 'denied', policy: 'policy-1' }]);
    const less = begin(stateOf(OPEN, `${AUDIT}deny: { filesystem: { access: [/usr/local] } }`));
    less.began(less.live);
    expect(less.told).toMatchObject([{ access: 'read', target: '/usr/local', verdict: 'denied', enforced: 'allowed', policy: 'policy-1' }]);
  });

  it('are judged as those in force say of privacy, and by what is in force now', () => {
    const { file, live, told, replace, decide } = begin(
      stateOf(OPEN, `${AUDIT}privacy: { paths: folder }\ndeny: { filesystem: { access: [/usr/local/lib] } }`),
    );
    file(live, 'read', '/usr/local/lib/secret', 'allowed');
    expect(told).toMatchObject([{ access: 'read', target: '/usr/local/lib' }]);
    replace(stateOf(OPEN));
    file(live, 'read', '/usr/local/lib/secret', 'allowed');
    decide('evil.example');
    expect(told).toHaveLength(1);
  });

  it('never say that the enforced verdict is another than it is', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('allow', 'deny'), fc.constantFrom('a.corp.example', 'b.corp.example', '*.corp.example', '*')), {
          maxLength: 4,
        }),
        fc.array(fc.tuple(fc.constantFrom('allow', 'deny'), fc.constantFrom('a.corp.example', 'b.corp.example', '*.corp.example', '*')), {
          maxLength: 4,
        }),
        fc.constantFrom('a.corp.example', 'b.corp.example', 'c.corp.example', 'other.test'),
        (enforced, audited, host) => {
          const specs = (rules: readonly (readonly [string, string])[], mode: string): string[] =>
            rules.map(([verb, name]) => `${mode}${verb}: { network: { hosts: [{ host: "${name}" }] } }`);
          const { decide, told, effective } = begin(stateOf('allow: {}', ...specs(enforced, ''), ...specs(audited, AUDIT)));
          decide(host);
          const all = begin(stateOf('allow: {}', ...specs(enforced, ''), ...specs(audited, ''))).effective;
          const [is, would] = [explainHost(effective, host, 443).verdict, explainHost(all, host, 443).verdict];
          expect(told.map((event) => event.kind === 'audit' && [event.enforced, event.verdict])).toEqual(is === would ? [] : [[is, would]]);
        },
      ),
      { numRuns: LAW_RUNS },
    ));
});
