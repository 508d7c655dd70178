/** What holds for the plans of every backend: nothing denied is reached without a word, every control is reported, and what is required and not enforced refuses the launch. */
import type { ContainerRequest } from '@microsoft/mxc-sdk/v1';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, effectiveOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { createDecider } from '../decide/decider.ts';
import { NO_EGRESS } from '../egress-rules.ts';
import type { EffectivePolicy, Right } from '../effective.ts';
import { BACKENDS, HOST, PORT, SPARSE } from './_backends.ts';
import { reachesNothingDenied, refusesWhatIsNotEnforced, report, reportsEveryControl } from './_compile-laws.ts';
import { CLIPBOARD } from './backend.ts';

/** For each backend; together they see many times as many. */
const runs = { numRuns: Math.ceil(LAW_RUNS / 2) };
const SDK_BACKENDS = BACKENDS.filter(({ name }) => name !== 'bubblewrap');
const allowed = (effective: EffectivePolicy, right: Right): boolean => createDecider(effective).right(right).verdict === 'allowed';

describe.each(BACKENDS)('compiled for $name', { timeout: LAW_TIMEOUT_MS }, ({ os, compile, reach, isPrivate }) => {
  it('a request reaches no path that the policy denies, unless its plan says so', () => {
    fc.assert(
      fc.property(arbitraryPolicies, fc.constantFrom(HOST, SPARSE), (policies, host) => {
        const effective = effectiveOf(policies, os);
        const plan = compile(effective, host);
        reachesNothingDenied(plan, effective, reach(plan), isPrivate);
      }),
      runs,
    );
  });

  it('a plan reports every control, and refuses what is required and not enforced', () => {
    fc.assert(
      fc.property(arbitraryPolicies, fc.constantFrom(HOST, SPARSE), (policies, host) => {
        const effective = effectiveOf(policies, os);
        const plan = compile(effective, host);
        reportsEveryControl(plan);
        refusesWhatIsNotEnforced(plan, effective);
      }),
      runs,
    );
  });

  it('the same policies in whatever order give the same plan', () => {
    fc.assert(
      fc.property(
        arbitraryPolicies.chain((policies) =>
          fc.tuple(fc.constant(policies), fc.shuffledSubarray([...policies], { minLength: policies.length })),
        ),
        ([policies, shuffled]) => {
          expect(compile(effectiveOf(shuffled, os), HOST)).toEqual(compile(effectiveOf(policies, os), HOST));
        },
      ),
      runs,
    );
  });

  it('a subject that may not start is given nothing', () => {
    const plan = compile(effectiveOf([], os), HOST);
    expect(plan.egress).toEqual(NO_EGRESS);
    expect(plan.environment).toEqual([]);
  });
});

describe.each(SDK_BACKENDS)('the request for $name', { timeout: LAW_TIMEOUT_MS }, ({ name, os, compile }) => {
  it('is for its own backend', () => {
    const { backend, request } = compile(effectiveOf([], os), HOST);
    expect([backend, (request as ContainerRequest).containment?.type]).toEqual([name.split(',')[0], name.split(',')[0]]);
  });

  const requests = (check: (request: ContainerRequest, effective: EffectivePolicy, plan: ReturnType<typeof compile>) => void): void =>
    fc.assert(
      fc.property(arbitraryPolicies, (policies) => {
        const effective = effectiveOf(policies, os);
        const plan = compile(effective, HOST);
        check(plan.request as ContainerRequest, effective, plan);
      }),
      runs,
    );

  it('names only absolute paths of its system, never everything, and no pattern', () => {
    requests(({ filesystem = {} }) => {
      const { readonlyPaths = [], readwritePaths = [], deniedPaths = [] } = filesystem;
      const form = os === 'windows' ? /^[A-Z]:\\[^/*?]+$/ : /^\/[^*?]+$/;
      expect([...readonlyPaths, ...readwritePaths, ...deniedPaths].filter((path) => !form.test(path))).toEqual([]);
    });
  });

  it('lets nothing out but through the proxy of this run, or says so', () => {
    requests(({ network }, _effective, plan) => {
      const { egress, runtimeConfig } = network ?? {};
      if (egress?.default === 'allow') {
        for (const control of ['network.hosts', 'network.cidrs', 'network.http'] as const) expect(report(plan, control).gap).toBe('wider');
      } else expect(egress).toEqual({ default: 'deny' });
      expect([undefined, `http://127.0.0.1:${PORT}`]).toContain(runtimeConfig?.networkProxy);
      if (
        runtimeConfig === undefined &&
        egress?.default !== 'allow' &&
        plan.egress.hosts.some(({ effect, methods, prefixes }) => effect === 'allow' && methods === undefined && prefixes === undefined)
      )
        expect(report(plan, 'network.hosts').gap).toBe('narrower');
    });
  });

  it('lets nothing in that the policy keeps out, or says so', () => {
    requests(({ network }, effective, plan) => {
      const { default: ingress, hostLoopback } = network?.ingress ?? {};
      if (ingress === 'allow' && !allowed(effective, 'network.ingress')) expect(report(plan, 'network.ingress').gap).toBe('wider');
      if (hostLoopback === 'allow' && !allowed(effective, 'network.host-loopback'))
        expect(report(plan, 'network.host-loopback').gap).toBe('wider');
    });
  });

  it('opens nothing of the desktop that the policy keeps closed', () => {
    requests(({ ui, containment }, effective) => {
      if (ui !== undefined) {
        if (!allowed(effective, 'ui.windows')) expect(ui.disable).toBe(true);
        const clipboard = CLIPBOARD.filter((right) => ui.clipboard === 'all' || right === `ui.clipboard.${ui.clipboard ?? 'none'}`);
        expect(clipboard.filter((right) => !allowed(effective, right))).toEqual([]);
        if (!allowed(effective, 'ui.input-injection')) expect(ui.allowInputInjection).toBe(false);
      }
      const text = JSON.stringify(containment);
      expect(text).not.toMatch(/profileOverride|captureDenials|learningMode|extraMachLookups|"(guiAccess|keychainAccess|gpu)":true/);
    });
  });

  it('ends no later than the policy says, and inherits no environment', () => {
    requests(({ timeoutMs, environment, inheritDefaultEnvironment }, { resources }) => {
      if (resources.timeoutMs !== undefined) {
        expect(timeoutMs).toBeGreaterThan(0);
        expect(timeoutMs).toBeLessThanOrEqual(Math.max(1, resources.timeoutMs.value));
        expect(timeoutMs).toBeLessThan(2 ** 32);
      }
      expect({ environment, inheritDefaultEnvironment }).toEqual({
        environment: { PATH: '/usr/bin:/bin' },
        inheritDefaultEnvironment: false,
      });
    });
  });
});
