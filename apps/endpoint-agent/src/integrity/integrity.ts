/**
 * What lets the control plane tell this state from a deleted or an older one: a random name that was made with it, and a count of hellos that only grows. It
 * also says how the daemon before this one ended, since nobody here may switch it off unseen.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Type } from 'typebox';
import type { EndedBy, Integrity } from '@cordon/policy/protocol/orders.ts';
import { checkedFile } from '../checked-file.ts';

const Kept = Type.Object(
  {
    state: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
    counter: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    machineBoot: Type.Union([Type.String(), Type.Null()]),
    /** The daemon that wrote this ended in order. */
    ended: Type.Boolean(),
  },
  { additionalProperties: false },
);

export interface IntegrityBook {
  readonly after: EndedBy;
  /** It was not what was written, so it begins anew, and the control plane will see another name. */
  readonly damaged: boolean;
  /** Counts one more hello, on disk before it is said. */
  hello(accepted: { readonly epoch: number; readonly serial: number }): Integrity;
  /** This daemon ends in order. */
  ended(): void;
}

export interface IntegrityOptions {
  readonly stateDir: string;
  readonly assurance: Integrity['assurance'];
  readonly machineBoot: string | null;
  /** Whether a maintenance grant covers that the daemon was stopped. */
  readonly inMaintenance: boolean;
  readonly log: (message: string) => void;
}

export const openIntegrity = ({ stateDir, assurance, machineBoot, inMaintenance, log }: IntegrityOptions): IntegrityBook => {
  const file = checkedFile(path.join(stateDir, 'integrity.json'), Kept);
  const before = file.read();
  const known = before === 'damaged' ? undefined : before;
  const afterSameBoot = (ended: boolean): EndedBy => (inMaintenance ? 'maintenance' : ended ? 'stop' : 'crash');
  const after: EndedBy = known === undefined ? 'nothing-before' : known.machineBoot !== machineBoot ? 'reboot' : afterSameBoot(known.ended);
  let kept = { state: known?.state ?? randomBytes(16).toString('base64url'), counter: known?.counter ?? 0, machineBoot, ended: false };
  const write = (next: typeof kept): boolean => {
    try {
      file.write(next);
      kept = next;
      return true;
    } catch (error) {
      log(`the count of hellos could not be stored: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  };
  write(kept);
  const first = kept.counter + 1;
  return {
    after,
    damaged: before === 'damaged',
    hello: ({ epoch, serial }) => {
      const stored = write({ ...kept, counter: kept.counter + 1 });
      return { state: kept.state, counter: kept.counter, first, stored, accepted: { epoch, serial }, assurance, machineBoot, after };
    },
    ended: () => void write({ ...kept, ended: true }),
  };
};
