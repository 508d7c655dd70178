/** Roots and floor for devices that hold older ones. */
import type { Hello, RootsFrame } from '@cordon/policy/protocol/channel.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { Static } from 'typebox';
import type { Context } from '../context.ts';

type Held = NonNullable<Static<typeof Hello>['trust']>;

export interface TrustFrames {
  /** @returns what a device lacks, or undefined when it lacks nothing, or claims more than there is */
  newerThan(held: Held): RootsFrame | undefined;
}

export const createTrustFrames = ({ roots, floor }: Pick<Context['organisation'], 'roots' | 'floor'>): TrustFrames => {
  const digest = sha256Hex(floor);
  return {
    newerThan: (held) => {
      if (held.roots < 1 || held.roots > roots.length || (held.roots === roots.length && held.floor === digest)) return undefined;
      return { type: 'roots', after: held.roots, roots: roots.slice(held.roots), floor };
    },
  };
};
