/** The last good state on disk: two slots written in turn, each whole, and a ratchet that is written before them. The frames are kept exactly as received. */
import fs from 'node:fs';
import path from 'node:path';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import type { Ratchet } from '@cordon/policy/trust/verify.ts';
import { readJson, writeDurably } from '../durable.ts';

const Slot = Compile(Type.Object({ frame: StateFrame, membership: MembershipFrame }, { additionalProperties: false }));
const Count = Type.Integer({ minimum: 0 });
const RatchetFile = Compile(Type.Object({ epoch: Count, serial: Count, member: Count }, { additionalProperties: false }));

export interface StoredState {
  readonly frame: StateFrame;
  readonly membership: MembershipFrame;
}

export interface Slots {
  /** What there is of the two slots; nothing of it is verified. */
  read(): (StoredState | 'damaged')[];
  /** The highest that was accepted; nothing was, when it is missing. A damaged one is `damaged`. */
  ratchet(): Ratchet | 'damaged';
  /** Ratchet first: after a cut in between, the old slot no longer passes as the newest. */
  write(state: StoredState, ratchet: Ratchet): void;
}

export const createSlots = (stateDir: string): Slots => {
  const slots = [path.join(stateDir, 'state-a.json'), path.join(stateDir, 'state-b.json')] as const;
  const ratchetFile = path.join(stateDir, 'ratchet.json');
  let next = 0;
  return {
    read: () =>
      slots.flatMap((file): (StoredState | 'damaged')[] => {
        const value = readJson(file);
        return Slot.Check(value) ? [value] : fs.existsSync(file) ? ['damaged'] : [];
      }),
    ratchet: () => {
      const value = readJson(ratchetFile);
      if (RatchetFile.Check(value)) return value;
      // Nothing accepted yet is fine; state without a ratchet is not.
      return [ratchetFile, ...slots].some((file) => fs.existsSync(file)) ? 'damaged' : { epoch: 0, serial: 0, member: 0 };
    },
    write: (state, ratchet) => {
      const text = JSON.stringify(state);
      const other = slots[next];
      writeDurably(ratchetFile, JSON.stringify(ratchet));
      writeDurably(other ?? slots[0], text);
      next = 1 - next;
    },
  };
};
