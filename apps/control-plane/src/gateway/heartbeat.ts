/** One timer for all sessions: pings, hello's time limit, sessions that went silent, and sockets that were slow. */
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import { PING } from './frames.ts';
import type { SessionHub } from './hub.ts';
import type { Push } from './push.ts';

export const HEARTBEAT_SECONDS = 25;
const HELLO_MS = 5000;
/** Two pings without any answer, and some. */
const SILENT_MS = 60_000;
const TICK_MS = 250;

/** @returns a function that stops it */
export const startHeartbeat = (hub: SessionHub, push: Push): (() => void) => {
  const slots = (HEARTBEAT_SECONDS * 1000) / TICK_MS;
  let tick = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    void push.catchUp();
    for (const session of hub.ungreeted()) if (now - session.openedAt > HELLO_MS) session.close(CLOSE.malformed, 'channel.hello-missing');
    tick = (tick + 1) % slots;
    let slot = 0;
    // Each tick serves its share of the sessions, so that ten thousand pings never leave at once.
    for (const session of hub.sessions()) {
      slot = (slot + 1) % slots;
      if (slot !== tick) continue;
      if (now - session.heardAt > SILENT_MS && !session.channel.isPaused) session.channel.terminate();
      else if (session.socket.writableLength === 0) session.write(PING);
    }
  }, TICK_MS);
  timer.unref();
  return () => clearInterval(timer);
};
