/** Standard input to a run: no more at once than the daemon takes. */
import type { Readable, Writable } from 'node:stream';
import { encode, INPUT_WINDOW, inputCost, KIND } from '../local-api/protocol.ts';

/** An empty message is the end of input. @returns what to call when the daemon has taken some of it */
export const sendInput = (input: Readable, socket: Writable): ((cost: number) => void) => {
  let underWay = 0;
  const send = (chunk: Buffer): void => {
    underWay += inputCost(chunk);
    socket.write(encode(KIND.stdin, chunk));
    if (underWay >= INPUT_WINDOW) input.pause();
  };
  input.on('data', send).once('end', () => send(Buffer.alloc(0)));
  return (cost) => {
    underWay -= cost;
    if (input.isPaused() && underWay < INPUT_WINDOW / 2) input.resume();
  };
};
