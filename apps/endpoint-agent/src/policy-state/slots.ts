/**
 * The last good state on disk, and the one before it that said something else: two slots, each whole, and the ratchet. The frames are kept exactly as received.
 * A renewal takes the place of what it renews, so that the other slot stays what was enforced before.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { readJson, removeDurably, writeDurably } from '../durable.ts';

const Slot = Compile(Type.Object({ frame: StateFrame, membership: MembershipFrame }, { additionalProperties: false }));
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Ratchet = Type.Object(
  {
    epoch: Count,
    serial: Count,
    member: Count,
    seen: Type.Optional(Count),
    /** When that was, by the machine's own clock: its boot, and milliseconds since then. */
    machine: Type.Optional(Type.Object({ boot: Type.String({ maxLength: 64 }), at: Count }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);
/** `check` tells a changed file from a written one; it is no secret and no defence against who may write here. */
const RatchetFile = Compile(Type.Object({ ...Ratchet.properties, check: Type.Optional(Type.String()) }, { additionalProperties: false }));

/** The highest that was accepted, and the latest time at which it was looked at, in milliseconds since 1970. */
export type KeptRatchet = Static<typeof Ratchet>;

export interface StoredState {
  readonly frame: StateFrame;
  readonly membership: MembershipFrame;
}

export interface Slots {
  /** What there is of the two slots; nothing of it is verified. */
  read(): (StoredState | 'damaged')[];
  /** Nothing was accepted, when it is missing. A damaged one, or none beside a state, is `damaged`. */
  ratchet(): KeptRatchet | 'damaged';
  /** Says which of the states that were read is in force: what says something else is written beside it, never over it. */
  hold(state: StoredState): void;
  /**
   * State first, then `between`, then ratchet: after a cut before the ratchet, the older of the two slots is still good, and the newer one too as soon as it verifies.
   * @param between what the state is verified against, when that is new
   */
  write(state: StoredState, ratchet: KeptRatchet, between?: () => void): void;
  /** The ratchet alone. */
  remember(ratchet: KeptRatchet): void;
  /** Removes the state that is not in force: to make room, or because nothing verifies it any more. */
  forgetOther(): void;
  /** Removes both states; the ratchet stays. */
  clear(): void;
}

const other = (at: 0 | 1): 0 | 1 => (at === 0 ? 1 : 0);
const checkOf = (ratchet: KeptRatchet): string => sha256Hex(canonicalJson(ratchet)).slice(0, 16);

export const createSlots = (stateDir: string): Slots => {
  const slots = [path.join(stateDir, 'state-a.json'), path.join(stateDir, 'state-b.json')] as const;
  const ratchetFile = path.join(stateDir, 'ratchet.json');
  /** Which slot is in force, and what it says. */
  let held: { readonly at: 0 | 1; readonly digest: string } | undefined;
  let found: readonly (StoredState | 'damaged' | undefined)[] = [];
  const remember = (ratchet: KeptRatchet): void => writeDurably(ratchetFile, JSON.stringify({ ...ratchet, check: checkOf(ratchet) }));
  return {
    read: () => {
      found = slots.map((file) => {
        const value = readJson(file);
        return Slot.Check(value) ? value : fs.existsSync(file) ? 'damaged' : undefined;
      });
      return found.filter((slot) => slot !== undefined);
    },
    hold: (state) => {
      const place = found.indexOf(state);
      if (place === 0 || place === 1) held = { at: place, digest: state.frame.cohort.leaf.digest };
    },
    ratchet: () => {
      const value = readJson(ratchetFile);
      if (RatchetFile.Check(value)) {
        const { check, ...ratchet } = value;
        return check === undefined || check === checkOf(ratchet) ? ratchet : 'damaged';
      }
      // Nothing accepted yet is fine; state without a ratchet is not.
      return [ratchetFile, ...slots].some((file) => fs.existsSync(file)) ? 'damaged' : { epoch: 0, serial: 0, member: 0 };
    },
    write: (state, ratchet, between) => {
      const { digest } = state.frame.cohort.leaf;
      const at = held === undefined ? 0 : held.digest === digest ? held.at : other(held.at);
      writeDurably(slots[at], JSON.stringify(state));
      between?.();
      remember(ratchet);
      held = { at, digest };
    },
    remember,
    forgetOther: () => {
      if (held !== undefined) removeDurably(slots[other(held.at)]);
    },
    clear: () => slots.forEach(removeDurably),
  };
};
