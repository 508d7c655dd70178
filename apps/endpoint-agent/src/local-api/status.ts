/** What `cordon status` shows. Pure. */
import type { SelfTest } from '@cordon/policy/protocol/channel.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import type { Spool } from '../telemetry/spool.ts';
import type { Status } from './protocol.ts';

export interface StatusParts {
  readonly enrollment: Pick<Enrollment, 'device' | 'org' | 'server'>;
  readonly connected: boolean;
  readonly state: VerifiedState | undefined;
  readonly selfTest: SelfTest | undefined;
  readonly spool: Pick<Spool, 'depth' | 'dropped'>;
  /** How many live. */
  readonly runs: number;
}

export const statusOf = ({ enrollment, connected, state, selfTest, spool, runs }: StatusParts): Status => ({
  device: enrollment.device,
  organisation: enrollment.org,
  server: enrollment.server,
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
  selfTest: selfTest === undefined ? null : { passed: selfTest.passed, at: selfTest.at },
  spool: { waiting: spool.depth(), dropped: spool.dropped() },
  runs,
});
