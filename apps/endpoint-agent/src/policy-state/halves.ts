/** A state comes in two halves, in whatever order: the cohort's frame and the device's own membership. Unverified: this only pairs what came. */
import type { MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import type { StoredState } from './slots.ts';

/** Whether both halves speak of the same cohort. */
const fit = (frame: StateFrame, membership: MembershipFrame): boolean => frame.cohort.leaf.cohort === membership.member.leaf.cohort;

export interface Halves {
  /** @returns both halves, or undefined: then this one waits for the other */
  withState(frame: StateFrame, now: Date): StoredState | undefined;
  withMembership(membership: MembershipFrame, now: Date): StoredState | undefined;
  /** These wait no longer. */
  used(state: StoredState): void;
  /** This one could not take effect yet: a membership that comes goes with it first. */
  keep(frame: StateFrame): void;
  forget(): void;
}

/** @param current what a half that comes alone may go with */
export const createHalves = (current: (now: Date) => StoredState | undefined): Halves => {
  let early: { readonly frame?: StateFrame | undefined; readonly membership?: MembershipFrame | undefined } = {};
  return {
    withState: (frame, now) => {
      const membership = [early.membership, current(now)?.membership].find((half) => half !== undefined && fit(frame, half));
      if (membership !== undefined) return { frame, membership };
      early = { ...early, frame };
      return undefined;
    },
    withMembership: (membership, now) => {
      const frame = [early.frame, current(now)?.frame].find((half) => half !== undefined && fit(half, membership));
      if (frame !== undefined) return { frame, membership };
      early = { ...early, membership };
      return undefined;
    },
    used: ({ frame, membership }) => {
      early = {
        frame: early.frame === frame ? undefined : early.frame,
        membership: early.membership === membership ? undefined : early.membership,
      };
    },
    keep: (frame) => {
      early = { ...early, frame };
    },
    forget: () => {
      early = {};
    },
  };
};
