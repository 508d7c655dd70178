/** What bubblewrap tells of a run while it is set up and when it ends. */
import { text } from 'node:stream/consumers';
import { CordonError } from '@cordon/policy/errors.ts';
import { drained, type Outputs } from './pipes.ts';
import type { Seat } from './seat.ts';
import { setupError } from './setup-error.ts';

const START_MS = 20_000;

export interface Told {
  /** The sandbox's init, before it is ready. */
  readonly init: Promise<number>;
  /** The workload's status. The executor tells it too, but looks for it only now and then. */
  readonly exitCode: Promise<number>;
}

/** Why a set-up failed by itself: what it said on its standard error is all that there is to know. */
export const failure = async ({ stderr }: Outputs): Promise<CordonError> => {
  const [said] = await Promise.all([text(stderr), drained(stderr)]);
  return setupError(said);
};

export const listen = ({ child, outputs, status }: Seat): Told => {
  const exitCode = Promise.withResolvers<number>();
  let late: NodeJS.Timeout | undefined;
  const init = new Promise<number>((resolve, reject) => {
    let told = '';
    late = setTimeout(() => reject(new CordonError('launch.setup-failed', 'the sandbox was not set up in time')), START_MS);
    child.once('exit', () => void failure(outputs).then(reject, reject));
    status.on('data', (chunk: Buffer) => {
      told += chunk.toString('latin1');
      const end = /"exit-code": (\d+)/.exec(told)?.[1];
      if (end !== undefined) exitCode.resolve(Number(end));
      const pid = /"child-pid": (\d+),/.exec(told)?.[1];
      if (pid === undefined) return;
      child.removeAllListeners('exit');
      resolve(Number(pid));
    });
  }).finally(() => clearTimeout(late));
  return { init, exitCode: exitCode.promise };
};
