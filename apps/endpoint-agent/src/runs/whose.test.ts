import { describe, expect, it } from 'vitest';
import type { AppliedPolicy } from '@cordon/policy/effective.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { advised, beyondAsking, whomToAsk, whoseIs } from './whose.ts';

const policy = (name: string, metadata: string, spec = ''): AppliedPolicy => ({
  policy: `pol_${name}`,
  name,
  revision: 1,
  because: [],
  document: parsePolicy(
    `apiVersion: cordon/v1\nkind: ContainmentPolicy\nmetadata: { name: ${name}${metadata} }\nspec: { ${spec}allow: {} }\n`,
  ).document,
});
const stateOf = (...policies: readonly AppliedPolicy[]) => ({
  content: { format: 'cordon-bundle/1', language: 'cordon/v1', policies, exceptions: [] } as const,
});
const coding = policy('coding', ', owner: platform-security, contact: "#security"');
const data = policy('data', ', owner: data-team');
const nameless = policy('nameless', '');
const watching = policy('watching', ', owner: nobody-yet', 'mode: audit, ');

describe('whom to ask', () => {
  it('is who owns the policy that a rule is of', () => {
    expect(whomToAsk(whoseIs(stateOf(coding, data), 'coding'))).toBe('platform-security (#security)');
    expect(whomToAsk(whoseIs(stateOf(coding, data), 'data'))).toBe('data-team');
  });

  it('is everybody who owns a policy that is enforced, where no rule says anything', () => {
    expect(whomToAsk(whoseIs(stateOf(coding, data, watching), undefined))).toBe('platform-security, data-team (#security)');
    expect(whomToAsk(whoseIs(stateOf(coding), 'never-grant'))).toBe('platform-security (#security)');
  });

  it('is the administrator, where nobody is named', () => {
    for (const state of [undefined, stateOf(), stateOf(nameless)]) expect(whomToAsk(whoseIs(state, 'nameless'))).toBe('your administrator');
  });

  it('is nobody for what no exception can give', () => {
    for (const source of ['builtin', 'floor', 'manifest', 'parent'] as const) expect(beyondAsking({ source })).toBeTypeOf('string');
    expect([beyondAsking({ source: 'policy' }), beyondAsking(undefined)]).toEqual([undefined, undefined]);
  });
});

describe('a refused launch', () => {
  it('says whom to ask where a policy refused it, and nothing more elsewhere', () => {
    const refused = { code: 'launch.no-policy', message: 'no policy allows it' };
    expect(advised(refused, () => stateOf(data)).message).toBe('no policy allows it. To have it allowed, ask data-team');
    for (const code of ['launch.root', 'launch.userns-denied'])
      expect(advised({ ...refused, code }, () => stateOf(data)).message).toBe(refused.message);
    const nothing = (): never => {
      throw new CordonError('launch.crash-loop', 'nothing is in force');
    };
    expect(advised(refused, nothing)).toEqual(refused);
  });
});
