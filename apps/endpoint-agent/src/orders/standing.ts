/**
 * How this device stands with its organisation beside its policy: what it says of its state, whether it is in maintenance, and whether it was retired. One place
 * that the daemon asks, and that answers what approvers order.
 */
import type { Integrity, OrderFrame, OrderReply } from '@cordon/policy/protocol/orders.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import type { OrderContext } from '@cordon/policy/trust/orders.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { openIntegrity } from '../integrity/integrity.ts';
import { machineBoot, machineElapsed } from '../machine.ts';
import { describeProblem } from '../policy-state/stored.ts';
import { openMaintenance } from './maintenance.ts';
import { obey } from './retire.ts';

export interface StandingOptions {
  readonly stateDir: string;
  readonly assurance: Integrity['assurance'];
  readonly key: () => KeyPair;
  /** Whom the device believes now. */
  readonly trusted: () => Enrollment;
  /** What time it is for what was signed for this device; the machine's clock sets it, and never back. */
  readonly time: (now: Date) => Date;
  readonly accepted: () => { readonly epoch: number; readonly serial: number };
  readonly report: (event: NewEvent) => void;
  readonly log: (message: string) => void;
  readonly boot?: string | null;
  readonly elapsed?: () => number;
}

export interface Standing {
  readonly hello: () => Integrity;
  /** Until when the device is in maintenance, if it is. */
  maintenance(now: Date): Date | undefined;
  onOrder(frame: OrderFrame, now: Date): Promise<OrderReply>;
  /** Says when a maintenance is over. */
  tend(now: Date): void;
  /** The device was retired: nothing is enforced from then on. */
  isRetired(): boolean;
  /** The daemon ends in order. */
  close(): void;
}

/** No root expires for who only wants to know whom it names. */
const BEFORE_ALL = new Date(0);

export const contextOf = async ({ roots, fingerprint, device }: Enrollment, now: Date): Promise<OrderContext> => ({
  root: await verifyRootChain(roots, fingerprint, BEFORE_ALL),
  device,
  now,
});

export const openStanding = async (options: StandingOptions, now: Date): Promise<Standing> => {
  const { stateDir, assurance, key, trusted, time, accepted, report, log } = options;
  const { boot = machineBoot(), elapsed = machineElapsed() } = options;
  const context = (at: Date): Promise<OrderContext> => contextOf(trusted(), time(at));
  const maintenance = openMaintenance({ stateDir, machineBoot: boot, elapsed, context, log });
  const problem = (code: string, message: string): void => {
    log(`${code}: ${message}`);
    report({ kind: 'daemon', state: 'problem', assurance, code: code.slice(0, 64) });
  };
  const found = await maintenance.load(now);
  const active = (at: Date): Date | undefined => maintenance.active(time(at));
  const integrity = openIntegrity({ stateDir, assurance, machineBoot: boot, inMaintenance: active(now) !== undefined, log });
  report({ kind: 'daemon', state: 'started', assurance, after: integrity.after });
  if (found !== undefined) problem(found.code, found.message);
  if (integrity.damaged) problem('state.integrity-damaged', 'what the control plane knows this state by is damaged: it gets a new name');
  let [retired, inMaintenance] = [false, active(now) !== undefined];

  const follow = async ({ order, text }: OrderFrame, at: Date): Promise<Pick<OrderReply, 'code' | 'proof'>> => {
    if (order === 'maintenance') {
      const refused = await maintenance.take(text, at);
      if (refused !== undefined) {
        problem(refused.code, `a maintenance grant was refused: ${refused.message}`);
        return { code: refused.code.slice(0, 64) };
      }
      if (!inMaintenance) report({ kind: 'daemon', state: 'maintenance', assurance, code: 'maintenance.begun' });
      inMaintenance = true;
      log(`in maintenance until ${active(at)?.toISOString() ?? 'now'}: what is enforced stays as it is`);
      return {};
    }
    try {
      const { proof } = await obey(stateDir, text, await context(at), key());
      retired = true;
      log('this device was retired: nothing is enforced any more, and its key and state are removed');
      return { proof };
    } catch (error) {
      const { code, message } = describeProblem(error);
      problem(code, `a retirement was refused, and everything stays as it is: ${message}`);
      return { code: code.slice(0, 64) };
    }
  };
  return {
    hello: () => integrity.hello(accepted()),
    maintenance: active,
    onOrder: async (frame, at) => {
      const answer = await follow(frame, at);
      return { type: 'order.reply', digest: sha256Hex(frame.text), accepted: answer.code === undefined, ...answer };
    },
    tend: (at) => {
      if (!inMaintenance || active(at) !== undefined) return;
      inMaintenance = false;
      log('the maintenance is over');
      report({ kind: 'daemon', state: 'maintenance', assurance, code: 'maintenance.ended' });
    },
    isRetired: () => retired,
    close: () => integrity.ended(),
  };
};
