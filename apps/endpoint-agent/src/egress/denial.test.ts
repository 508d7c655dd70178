import { describe, expect, it } from 'vitest';
import { NO_EGRESS } from '@cordon/policy/egress-rules.ts';
import type { RuleOrigin } from '@cordon/policy/effective.ts';
import { denial } from './denial.ts';
import { rulesOf } from './rules.ts';

const rules = rulesOf({
  ...NO_EGRESS,
  owners: { base: { owner: 'platform-security', contact: 'sec@example.com' }, more: { owner: 'build-team' }, silent: {} },
});
const rule = (policy: string): RuleOrigin => ({ rule: 'r_1', source: 'policy', policy, revision: 2, because: [] });
const bodyOf = (target: { host: string; port: number }, by: RuleOrigin | undefined): Record<string, string> =>
  JSON.parse(denial(403, 'egress.denied', 'why', target, by, rules).body) as Record<string, string>;
const TARGET = { host: 'x.example', port: 443 };

describe('a denial', () => {
  it('names rule and policy, who owns it, and how to ask', () => {
    expect(bodyOf(TARGET, rule('base'))).toEqual({
      error: 'egress.denied',
      host: 'x.example',
      port: 443,
      policy: 'base',
      rule: 'r_1',
      owner: 'platform-security',
      contact: 'sec@example.com',
      reason: 'why',
      help: 'ask platform-security (sec@example.com): cordon request x.example:443; to see why: cordon why x.example:443',
    });
  });

  it('of no rule names everybody who has a say, and of a policy that names nobody its owner as such', () => {
    expect(bodyOf(TARGET, undefined)).toMatchObject({ rule: 'default-deny', owner: 'platform-security, build-team' });
    expect(bodyOf(TARGET, rule('silent'))['help']).toMatch(/^ask the owner of the policy: /);
  });

  it('writes an address so that the command takes it', () => {
    expect(bodyOf({ host: '2001:db8::1', port: 22 }, undefined)['help']).toContain('cordon request [2001:db8::1]:22;');
  });
});
