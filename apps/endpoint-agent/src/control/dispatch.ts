/** Who handles which frame of the control plane. */
import type { DownFrame, UpFrame } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { Asking } from '../asking/asking.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { Waiting } from '../identity/waiting.ts';
import type { Standing } from '../orders/standing.ts';
import type { History } from '../policy-state/history.ts';
import type { Outcome, PolicyState } from '../policy-state/policy-state.ts';
import type { RunIdentity } from '../run-identity/run-identity.ts';
import type { Reporter } from '../telemetry/reporter.ts';

export interface Handlers {
  readonly policyState: Pick<PolicyState, 'onRoots' | 'onState' | 'onMembership'>;
  readonly waiting: Pick<Waiting, 'hear'>;
  /** What follows from a new state. */
  readonly take: (outcome: Outcome) => void;
  readonly history: Pick<History, 'onAnswer'>;
  readonly standing: Pick<Standing, 'onOrder' | 'isRetired'>;
  /** The last word has been said. */
  readonly onRetired: () => void;
  readonly reporter: Pick<Reporter, 'onFrame' | 'onProblem'>;
  readonly discovery: Pick<Discovery, 'onProblem'>;
  readonly asking: Pick<Asking, 'onFrame'>;
  readonly runIdentity: Pick<RunIdentity, 'onFrame'>;
  readonly report: (event: NewEvent) => void;
  readonly send: (frame: UpFrame) => boolean;
  readonly now: () => Date;
  readonly log: (message: string) => void;
}

export const createDispatcher =
  (to: Handlers): ((frame: DownFrame) => Promise<void>) =>
  async (frame) => {
    to.waiting.hear(frame);
    switch (frame.type) {
      case 'roots': {
        const refused = await to.policyState.onRoots(frame, to.now());
        if (refused !== undefined) to.report({ kind: 'policy', state: 'rejected', digest: '', serial: 0, code: refused.code.slice(0, 64) });
        return;
      }
      case 'state':
        return to.take(await to.policyState.onState(frame, to.now()));
      case 'membership':
        return to.take(await to.policyState.onMembership(frame, to.now()));
      case 'history':
        return to.history.onAnswer(frame);
      case 'order':
        to.send(await to.standing.onOrder(frame, to.now()));
        if (to.standing.isRetired()) to.onRetired();
        return;
      case 'telemetry.ack':
      case 'head.ack':
        return to.reporter.onFrame(frame);
      case 'problem':
        to.log(`the control plane says ${frame.code}: ${frame.detail}`);
        to.discovery.onProblem(frame.code);
        return to.reporter.onProblem(frame.code);
      case 'welcome':
      case 'token.reply':
        return to.runIdentity.onFrame(frame);
      case 'exception.reply':
        return to.asking.onFrame(frame);
    }
  };
