/**
 * What the daemon attaches for a run where the proxy has opened TLS itself: the run's own token for that very host. The run never sees it, and what it sent under the
 * name of the field is gone. Without a token the request is not sent.
 */
import { CordonError } from '@cordon/policy/errors.ts';
import { audienceOf } from '@cordon/policy/trust/run-token.ts';
import type { RunIdentity } from '../run-identity/run-identity.ts';
import type { RunTable } from '../runs/run-table.ts';
import type { EgressOptions } from './egress.ts';

/** RFC 6750 §2.1 */
const FIELD = 'authorization';

/** @throws CordonError as `tokenFor`; `identity.run-ended` for a run that lives no more */
export const attachIdentity =
  (runs: Pick<RunTable, 'all'>, identity: () => Pick<RunIdentity, 'tokenFor'>): NonNullable<EgressOptions['attach']> =>
  async (run, host) => {
    const live = runs.all().find((candidate) => candidate.run.run === run);
    if (live === undefined) throw new CordonError('identity.run-ended', 'the run has ended');
    const { token } = await identity().tokenFor(live, audienceOf(host), 'proxy');
    return { name: FIELD, value: `Bearer ${token}` };
  };
