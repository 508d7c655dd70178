/** The keys under which tokens of runs are signed, as the newest root names them. */
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import type { AdmittedKey } from '@cordon/policy/trust/keys.ts';
import type { Context } from '../context.ts';

/** Whether the root has expired since the service took it on is not for here: what it names did not change. */
export const identityKeys = async ({ roots, fingerprint }: Context['organisation']): Promise<ReadonlyMap<string, AdmittedKey>> =>
  (await verifyRootChain(roots, fingerprint, new Date(0))).keys('identity');
