/** What is typed into a run, from before it has begun: as much at once as the protocol's window, so that the caller's other words are always heard. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { Run } from '../launch/launcher.ts';
import { INPUT_WINDOW, inputCost } from '../local-api/protocol.ts';

export interface RunInput {
  /** An empty chunk is the end of input. @throws CordonError `local.input` when more comes than was asked for */
  take(chunk: Buffer): void;
  /** The run is there: what came before goes to it first. */
  begin(run: Run): void;
}

/** @param taken tells the caller that so much of its window is free again */
export const createInput = (taken: (cost: number) => void): RunInput => {
  let run: Run | undefined;
  let early: Buffer[] = [];
  let waiting = 0;
  const feed = (to: Run, chunk: Buffer): void => {
    const done = (): void => {
      waiting -= inputCost(chunk);
      taken(inputCost(chunk));
    };
    // What a run does not take any more, nobody does.
    if (!to.stdin.writable) done();
    else if (chunk.length === 0) to.stdin.end(done);
    else to.stdin.write(chunk, done);
  };
  return {
    take: (chunk) => {
      waiting += inputCost(chunk);
      if (waiting > 2 * INPUT_WINDOW)
        throw new CordonError('local.input', 'more input than the run can take: command and daemon are of different versions');
      if (run !== undefined) feed(run, chunk);
      else early = [...early, chunk];
    },
    begin: (begun) => {
      run = begun;
      for (const chunk of early.splice(0)) feed(begun, chunk);
    },
  };
};
