/**
 * Seats wait for the next runs: one, and as many as lately came at once. What is not asked for again is given up by halves. A run that finds none prepares its own.
 */
import { prepareSeat, type Seat, type SeatOptions } from './seat.ts';

export interface Seats {
  /** @throws CordonError as `prepareSeat` */
  take(): Promise<Seat>;
  /** Once for each seat that was taken: its launch is over, however that went. Then the next ones are prepared, a moment later: launches that are under way come first. */
  refill(): void;
  /** How many wait, or are on their way. */
  waiting(): number;
  /** Ends what waits, and prepares nothing ahead any more. */
  stop(): Promise<void>;
}

const REST_MS = 50;
/** However many launches are under way. */
const LATEST_MS = 500;
/** Five small processes each. */
const MOST = 24;
const AT_ONCE = 2;
const FORGET_MS = 60_000;

export const createSeats = (options: SeatOptions): Seats => {
  const next: Promise<Seat | undefined>[] = [];
  let wanted = 1;
  let underWay = 0;
  /** The most that were under way at once since the last time that seats were prepared. */
  let atOnce = 0;
  let preparing = 0;
  let timer: { readonly id: NodeJS.Timeout; readonly isLatest: boolean } | undefined;
  let stopped = false;
  const discard = async (seat: Seat | undefined): Promise<void> => {
    if (seat === undefined) return;
    seat.discard();
    await options.egress.close(seat.name);
  };
  const fill = (): void => {
    if (stopped) return;
    while (preparing < AT_ONCE && next.length < wanted) {
      preparing += 1;
      // Why it failed is told to the run that then prepares its own; nothing more is prepared until then.
      const seat = prepareSeat(options).catch(() => undefined);
      next.push(seat);
      void seat.then((made) => {
        preparing -= 1;
        if (made !== undefined) fill();
        else if (next.includes(seat)) void next.splice(next.indexOf(seat), 1);
      });
    }
  };
  const forget = setInterval(() => {
    wanted = Math.max(1, Math.ceil(wanted / 2));
    for (const seat of next.splice(wanted)) void seat.then(discard);
  }, FORGET_MS);
  forget.unref();
  const schedule = (isLatest: boolean): void => {
    if (stopped || (timer !== undefined && (isLatest || !timer.isLatest))) return;
    clearTimeout(timer?.id);
    const id = setTimeout(
      () => {
        timer = undefined;
        wanted = Math.min(MOST, Math.max(wanted, atOnce));
        atOnce = underWay;
        fill();
      },
      isLatest ? LATEST_MS : REST_MS,
    );
    timer = { id, isLatest };
  };
  return {
    take: async () => {
      underWay += 1;
      atOnce = Math.max(atOnce, underWay);
      for (let waiting = next.shift(); waiting !== undefined; waiting = next.shift()) {
        const seat = await waiting;
        if (seat?.usable() === true) return seat;
        await discard(seat);
      }
      return prepareSeat(options).catch((error: unknown) => {
        underWay -= 1;
        throw error;
      });
    },
    refill: () => {
      underWay -= 1;
      schedule(underWay > 0);
    },
    waiting: () => next.length,
    stop: async () => {
      stopped = true;
      clearTimeout(timer?.id);
      clearInterval(forget);
      await Promise.all(next.splice(0).map(async (seat) => discard(await seat)));
    },
  };
};
