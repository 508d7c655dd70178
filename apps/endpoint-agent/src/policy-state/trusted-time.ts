/**
 * What time it is for a device's policy. A clock can be set back; that time has passed cannot: so nothing grows younger by it. A clock that was far ahead for
 * a while heals, because a state that was signed later begins anew. Times are in milliseconds since 1970.
 */
export interface TrustedTime {
  /** For what comes: the clock, but not before the newest state was signed, and the time since it came. */
  onReceipt(clock: Date): Date;
  /** For what is in force: besides, not before any moment at which it was looked at. */
  inForce(clock: Date): Date;
  /** What an earlier process knew. */
  restore(seen: number): void;
  /** A state that was signed at `issuedAt` is in force since `at`. One that is not newer than the last makes nothing younger. @returns what takes it back */
  began(issuedAt: Date, at: Date): () => void;
}

/** @param elapsed milliseconds of a clock that no one can set */
export const createTrustedTime = (elapsed: () => number): TrustedTime => {
  let newest = -Infinity;
  // Kept as distances from the clock that no one can set, so that both go on while no one looks.
  let [signed, seen] = [-Infinity, -Infinity];
  const notBefore = (distance: number, clock: Date): Date => new Date(Math.max(clock.getTime(), Math.round(distance + elapsed())));
  return {
    onReceipt: (clock) => notBefore(signed, clock),
    inForce: (clock) => {
      const at = notBefore(seen, clock);
      seen = at.getTime() - elapsed();
      return at;
    },
    restore: (before) => {
      seen = Math.max(seen, before - elapsed());
    },
    began: (issuedAt, at) => {
      const before = [newest, signed, seen] as const;
      const undo = (): void => void ([newest, signed, seen] = before);
      if (issuedAt.getTime() <= newest) return undo;
      newest = issuedAt.getTime();
      signed = Math.max(signed, newest - elapsed());
      seen = Math.max(newest, at.getTime()) - elapsed();
      return undo;
    },
  };
};
