/** One seat waits for the next run. When two runs come at once, the second prepares its own. */
import { prepareSeat, type Seat, type SeatOptions } from './seat.ts';

export interface Seats {
  /** @throws CordonError as `prepareSeat` */
  take(): Promise<Seat>;
  /** Prepares the next one, a moment later: a launch that is under way comes first. */
  refill(): void;
  /** Ends what waits, and prepares nothing ahead any more. */
  stop(): Promise<void>;
}

const REST_MS = 50;

export const createSeats = (options: SeatOptions): Seats => {
  let next: Promise<Seat | undefined> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const discard = async (seat: Seat): Promise<void> => {
    seat.discard();
    await options.egress.close(seat.name);
  };
  return {
    take: async () => {
      const waiting = next;
      next = undefined;
      const seat = await waiting;
      if (seat?.usable() === true) return seat;
      if (seat !== undefined) await discard(seat);
      return prepareSeat(options);
    },
    refill: () => {
      if (stopped) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        // Why it failed is told to the run that then prepares its own.
        next ??= prepareSeat(options).catch(() => undefined);
      }, REST_MS);
    },
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      const seat = await next;
      next = undefined;
      if (seat !== undefined) await discard(seat);
    },
  };
};
