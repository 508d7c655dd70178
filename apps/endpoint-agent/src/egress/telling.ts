/** What is decided is told to the daemon, which may be slower than a run that asks for nothing but trouble: so much is on its way at most, the rest is counted. */
import { LIMITS } from './limits.ts';
import type { Decision, FromEgress } from './messages.ts';

/** @param send calls back when the message is on its way to the daemon, or lost with it */
export const createTelling = (send: (message: FromEgress, sent: () => void) => void): ((decision: Decision) => void) => {
  let underWay = 0;
  const untold = new Map<string, number>();
  const sent = (): void => {
    underWay -= 1;
    if (underWay > LIMITS.untold / 2) return;
    for (const [run, decisions] of untold) {
      untold.delete(run);
      underWay += 1;
      send({ type: 'untold', run, decisions }, sent);
    }
  };
  return (decision) => {
    if (underWay >= LIMITS.untold) return void untold.set(decision.run, (untold.get(decision.run) ?? 0) + 1);
    underWay += 1;
    send({ type: 'decision', decision }, sent);
  };
};
