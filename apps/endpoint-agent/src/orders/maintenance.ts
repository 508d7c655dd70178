/**
 * A maintenance grant: for at most eight hours of one boot of this machine, a stop of the daemon and the absence of self-tests are not tampering. It changes
 * nothing of what is enforced. Its end is counted by the machine's own clock too, so neither a clock that is set nor a restart makes it longer.
 */
import path from 'node:path';
import { Type } from 'typebox';
import { verifyMaintenance, type OrderContext } from '@cordon/policy/trust/orders.ts';
import { checkedFile } from '../checked-file.ts';
import { describeProblem, type Problem } from '../policy-state/stored.ts';

const Kept = Type.Object(
  {
    text: Type.String({ maxLength: 20_000 }),
    /** On the machine's own clock, milliseconds since its boot: it is over by then at the latest. */
    until: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  },
  { additionalProperties: false },
);

export interface Maintenance {
  /** @returns until when it lasts, if one does */
  active(now: Date): Date | undefined;
  /** Verified, and kept for the next process. @returns what is wrong with it */
  take(text: string, now: Date): Promise<Problem | undefined>;
  /** What an earlier process kept, verified again. @returns what is wrong with it; that it is over is not */
  load(now: Date): Promise<Problem | undefined>;
}

export interface MaintenanceOptions {
  readonly stateDir: string;
  readonly machineBoot: string | null;
  /** Milliseconds since the machine's boot that no one can set. */
  readonly elapsed: () => number;
  /** Whose approvers count, for which device, and what time it is. */
  readonly context: (now: Date) => Promise<OrderContext>;
  readonly log: (message: string) => void;
}

/** How a grant ends by itself. */
const OVER: ReadonlySet<string> = new Set(['maintenance.expired', 'maintenance.boot', 'maintenance.epoch']);

export const openMaintenance = ({ stateDir, machineBoot, elapsed, context, log }: MaintenanceOptions): Maintenance => {
  const file = checkedFile(path.join(stateDir, 'maintenance.json'), Kept);
  let held: { readonly expires: Date; readonly until: number } | undefined;
  const keep = (text: string, until: number): void => {
    try {
      file.write({ text, until });
    } catch (error) {
      log(
        `the maintenance grant could not be stored, and ends with this process: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
  /** @param limit no later than this, on the machine's clock */
  const admit = async (text: string, now: Date, limit: number): Promise<number> => {
    const order = await context(now);
    const grant = await verifyMaintenance(text, order, machineBoot);
    const expires = new Date(grant.expiresAt);
    const until = Math.ceil(Math.min(limit, elapsed() + expires.getTime() - order.now.getTime()));
    held = { expires, until };
    return until;
  };
  return {
    active: (now) => {
      // The clock that was judged by when it came does not count any more where it is set back; the machine's does.
      if (held !== undefined && !(elapsed() < held.until && now < held.expires)) held = undefined;
      return held?.expires;
    },
    take: async (text, now) => {
      try {
        keep(text, await admit(text, now, Number.MAX_SAFE_INTEGER));
        return undefined;
      } catch (error) {
        return describeProblem(error);
      }
    },
    load: async (now) => {
      const kept = file.read();
      if (kept === undefined) return undefined;
      if (kept === 'damaged') {
        file.remove();
        return { code: 'maintenance.damaged', message: 'the stored maintenance grant is damaged: it does not count' };
      }
      try {
        await admit(kept.text, now, kept.until);
        return undefined;
      } catch (error) {
        file.remove();
        const problem = describeProblem(error);
        return OVER.has(problem.code) ? undefined : problem;
      }
    },
  };
};
