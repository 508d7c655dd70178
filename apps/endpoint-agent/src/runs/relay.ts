/** What a run says, to whoever asked for it; and the end of what runs inside a run. */
import type { Run } from '../launch/launcher.ts';
import { encode, KIND } from '../local-api/protocol.ts';
import type { Caller } from '../local-api/server.ts';
import type { LiveRun, RunTable } from './run-table.ts';

export const relay = ({ socket }: Caller, run: Run): void => {
  for (const [kind, stream] of [
    [KIND.stdout, run.stdout],
    [KIND.stderr, run.stderr],
  ] as const) {
    stream.on('data', (chunk: Buffer) => {
      // Nobody is there any more: what it still says must not keep it from its end.
      if (socket.destroyed || socket.write(encode(kind, chunk))) return;
      stream.pause();
      socket.once('drain', () => stream.resume());
    });
    socket.once('close', () => stream.resume());
  }
};

/** Ends what was started inside a run, and waits until it has ended. */
export const endBelow = async (runs: RunTable, parent: LiveRun): Promise<void> => {
  const children = runs.all().filter((live) => live.parent === parent);
  for (const { run } of children) run.kill('killed');
  await Promise.all(children.map(({ run }) => run.ended));
};
