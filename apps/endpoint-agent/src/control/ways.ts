/** Which way the channel takes: a WebSocket, or where networks let none through, a tunnel of plain requests. Pure: what time it is, is told, by any clock that only grows. */

export type Way = 'socket' | 'tunnel';

/** Failures in a row, of a control plane that answers plain requests, before the network is held to be the reason. */
const FAILURES = 2;
/** How long a tunnel is used before a WebSocket is tried again, without jitter. */
const AGAIN_MS = 3_600_000;

export interface Ways {
  /** @returns which to try next */
  next(now: number): Way;
  /** The WebSocket did not open although plain requests were answered, or stayed silent. */
  failed(now: number): void;
  /** Frames came by a WebSocket. */
  worked(): void;
  /** The control plane has no tunnels: it is an older one, and only a WebSocket is left. */
  absent(): void;
  /** @param random in [0, 1): devices of one network do not try together. @returns for how long a tunnel stays open until a WebSocket is tried again */
  stay(random: number): number;
}

export const createWays = (): Ways => {
  let failures = 0;
  let failedAt = 0;
  const begin = (): void => {
    failures = 0;
  };
  return {
    next: (now) => (failures < FAILURES || now - failedAt >= AGAIN_MS / 2 ? 'socket' : 'tunnel'),
    failed: (now) => {
      failures += 1;
      failedAt = now;
    },
    worked: begin,
    absent: begin,
    stay: (random) => AGAIN_MS * (0.75 + random / 2),
  };
};
