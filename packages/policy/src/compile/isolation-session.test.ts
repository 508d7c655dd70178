/** Compilation for an isolation session, by example: what it cannot keep, it says. */
import { describe, expect, it } from 'vitest';
import { effectiveOf, policyOf } from '../_arbitrary-policy.ts';
import type { Isolation } from '../effective.ts';
import { START } from './_backends.ts';
import { report } from './_compile-laws.ts';
import { compileIsolationSession } from './isolation-session.ts';

const OPEN = { egress: { default: 'allow' }, ingress: { default: 'allow', hostLoopback: 'allow' } };
const effective = effectiveOf(
  [policyOf(0, { allow: { filesystem: { write: ['${workspace}'] } }, limit: { resources: { timeout: '90s' } } })],
  'windows',
);

describe('compiled for an isolation session', () => {
  const plan = compileIsolationSession(effective, { start: START, appId: 'PFN:Cordon_1' });
  const started = { command: START.command, environment: START.environment, inheritDefaultEnvironment: false, timeoutMs: 90_000 };

  it('names no files and no desktop, which the backend would refuse, and the open network, which it demands', () => {
    expect(plan.request).toEqual({ ...started, containment: { type: 'isolation_session' }, network: OPEN });
  });

  it('has the same in phases: what is fixed is provisioned, what is started is executed', () => {
    expect(plan.lifecycle).toEqual({
      provision: { containment: 'isolation_session', network: OPEN, appId: 'PFN:Cordon_1' },
      execute: started,
    });
  });

  it('is refused by a policy that says nothing of what it requires', () => {
    expect(plan.unmet.map(({ control, gap }) => [control, gap])).toEqual([
      ['filesystem.read', 'wider'],
      ['filesystem.write', 'wider'],
      ['network.hosts', 'wider'],
    ]);
  });

  it.each<[Isolation, string]>([
    ['process', 'enforced'],
    ['session', 'enforced'],
    ['vm', 'unsupported'],
  ])('isolates as strongly as %s: %s', (isolation, state) => {
    const demanding = compileIsolationSession(effectiveOf([policyOf(0, { allow: {}, limit: { isolation }, required: [] })], 'windows'), {
      start: START,
    });
    expect(report(demanding, 'isolation').state).toBe(state);
    expect(demanding.unmet.map(({ control }) => control)).toEqual(state === 'enforced' ? [] : ['isolation']);
  });
});
