/** `cordon daemon`: runs until it is told to stop. */
import { visible } from '@cordon/policy/visible.ts';
import { readConfig } from '../config.ts';
import { runDaemon } from '../daemon.ts';

export const daemonCommand = async (): Promise<number> => {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  await runDaemon(readConfig(), stop.signal, (message) => process.stdout.write(`${new Date().toISOString()} ${visible(message)}\n`));
  return 0;
};
