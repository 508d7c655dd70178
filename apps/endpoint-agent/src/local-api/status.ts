/** What `cordon status` shows. Pure. */
import type { SelfTest } from '@cordon/policy/protocol/channel.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import type { Limiter } from '../launch/limiter.ts';
import type { HistoryStatus } from '../policy-state/history.ts';
import type { Spool } from '../telemetry/spool.ts';
import type { Status } from './protocol.ts';

export interface StatusParts {
  readonly enrollment: Pick<Enrollment, 'device' | 'org' | 'server'>;
  /** Thumbprint of the device's key. */
  readonly key: string;
  readonly connected: boolean;
  readonly state: VerifiedState | undefined;
  readonly selfTest: SelfTest | undefined;
  readonly spool: Pick<Spool, 'depth' | 'dropped'>;
  readonly history: HistoryStatus;
  /** Why nothing is in force, where that has a reason of its own. */
  readonly blocked: string | undefined;
  /** Until when the device is in maintenance. */
  readonly maintenance: Date | undefined;
  readonly limits: Pick<Limiter, 'means' | 'without'>;
  /** How many live. */
  readonly runs: number;
}

export const statusOf = ({
  enrollment,
  key,
  connected,
  state,
  selfTest,
  spool,
  history,
  blocked,
  maintenance,
  limits,
  runs,
}: StatusParts): Status => ({
  device: enrollment.device,
  organisation: enrollment.org,
  server: enrollment.server,
  key,
  connected,
  enforcing:
    state === undefined
      ? null
      : {
          digest: state.digest,
          epoch: state.epoch,
          serial: state.serial,
          freshness: state.freshness,
          policies: state.content.policies.map((p) => `${p.name} revision ${p.revision}`),
        },
  selfTest:
    selfTest === undefined
      ? null
      : {
          passed: selfTest.passed,
          at: selfTest.at,
          failed: selfTest.checks.filter(({ passed }) => !passed).map(({ name, detail }) => `${name}: ${detail}`),
        },
  spool: { waiting: spool.depth(), dropped: spool.dropped() },
  history,
  blocked: blocked ?? null,
  maintenance: maintenance?.toISOString() ?? null,
  limits: { ...limits.means, without: limits.without ?? null },
  runs,
});
