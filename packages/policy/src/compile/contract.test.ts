/**
 * Compiled requests against the contract that the SDK carries: its own makers accept them, and its native executor, which knows the contract of every backend, reads
 * them and refuses only that the backend is not on this system.
 */
import type { ContainerId, ContainerRequest, ProvisionRequest } from '@microsoft/mxc-sdk/v1';
import { validateProcess, validateProvision } from '@microsoft/mxc-sdk/v1';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, effectiveOf, policyOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { BACKENDS, HOST, START } from './_backends.ts';
import type { AppliedPolicy } from '../effective.ts';
import type { NativeRequest } from '../launch-plan.ts';
import { asContract, execute, prepareContainerRequest } from './_sdk.ts';
import { compileIsolationSession } from './isolation-session.ts';

/** Each run starts a process. */
const runs = { numRuns: Math.ceil(LAW_RUNS / 10) };
const verdicts: Readonly<Record<string, RegExp>> = {
  bubblewrap: /validation passed/,
  lxc: /validation passed/,
};

describe.runIf(process.platform === 'linux').each(BACKENDS)(
  'the contract, for $name',
  { timeout: LAW_TIMEOUT_MS },
  ({ name, os, compile }) => {
    const backend = name.split(',')[0] ?? '';
    const configOf = (policies: readonly AppliedPolicy[]) => {
      const { request } = compile(effectiveOf(policies, os), HOST);
      return backend === 'bubblewrap' ? asContract(request as NativeRequest) : prepareContainerRequest(request as ContainerRequest);
    };
    const verdict = verdicts[backend] ?? new RegExp(`error: the '${backend}' backend is not available on Linux`);

    it('is met by every compiled request', () => {
      fc.assert(
        fc.property(arbitraryPolicies, (policies) => {
          const { said } = execute(configOf(policies), '--dry-run');
          expect(said).toMatch(verdict);
          expect(said).not.toMatch(/parse error|validation failed/i);
        }),
        runs,
      );
    });

    it('would not be met by a field that it does not know', () => {
      const { said } = execute(Object.assign(configOf([policyOf(0, { allow: {} })]), { unheard: true }), '--dry-run');
      expect(said).toMatch(/parse error.*unheard/);
    });
  },
);

describe('the phases of an isolation session', () => {
  const { lifecycle } = compileIsolationSession(effectiveOf([policyOf(0, { allow: {} })], 'windows'), {
    start: START,
    appId: 'PFN:Cordon_1',
  });

  it.runIf(process.platform === 'linux')('are understood by the native library, which only has no such backend here', async () => {
    await expect(validateProvision(lifecycle.provision)).rejects.toMatchObject({ code: 'backend_unavailable' });
    const container = 'iso:0123456789abcdef' as ContainerId<'isolation_session'>;
    await expect(validateProcess(container, lifecycle.execute)).rejects.toMatchObject({ code: 'backend_unavailable' });
  });

  it('would be refused with anything less than an open network', async () => {
    const closed = { ...lifecycle.provision, network: { egress: { default: 'deny' } } };
    await expect(validateProvision(closed as ProvisionRequest<'isolation_session'>)).rejects.toMatchObject({ code: 'malformed_request' });
  });
});
