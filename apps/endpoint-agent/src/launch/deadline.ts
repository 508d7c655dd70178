/** A time limit that is counted from its making, and may be set anew as long as it is not over. */

/** A timer waits no longer. */
const LONGEST_MS = 2 ** 31 - 1;

export interface Deadline {
  /** Milliseconds since the beginning; undefined: none. */
  set(limitMs: number | undefined): void;
  /** Nothing happens any more. */
  cancel(): void;
}

/** @param onOver called once, later */
export const createDeadline = (onOver: () => void, clock: () => number = () => performance.now()): Deadline => {
  const begin = clock();
  let timer: NodeJS.Timeout | undefined;
  let isDone = false;
  const set: Deadline['set'] = (limitMs) => {
    clearTimeout(timer);
    if (isDone || limitMs === undefined) return;
    const left = begin + limitMs - clock();
    timer = setTimeout(
      () => {
        if (left > LONGEST_MS) return set(limitMs);
        isDone = true;
        onOver();
      },
      Math.min(Math.max(left, 0), LONGEST_MS),
    );
  };
  return {
    set,
    cancel: () => {
      isDone = true;
      clearTimeout(timer);
    },
  };
};
