/** `node apps/control-plane/src/main.ts`: the control plane as a service. Configured by environment (config.ts); ends in order on SIGTERM and SIGINT. */
import { CordonError } from '@cordon/policy/errors.ts';
import { readConfig } from './config.ts';
import { runCommand } from './recovery/command.ts';
import { createControlPlane } from './start.ts';

const refuse = (error: unknown): never => {
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) {
    process.stderr.write(`cordon: ${error.message} (cli.usage)\n`);
    process.exit(2);
  }
  if (!(error instanceof CordonError)) throw error;
  process.stderr.write(`cordon: ${error.message} (${error.code})\n`);
  process.exit(1);
};

const words = process.argv.slice(2);
if (words.length > 0) {
  // Driven by cordonctl, which has no database.
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  if (await runCommand(words, { config: readConfig(), now: new Date(), say }).catch(refuse)) process.exit(0);
  const isAsked = words.includes('--help') || words.includes('-h');
  (isAsked ? process.stdout : process.stderr).write(
    'The control plane takes no arguments: it is configured by environment (CORDON_STATE, CORDON_ADMIN_PORT, DATABASE_URL, …); docs/operator.md lists it all. To back it up, restore it or look at it: cordonctl backup, restore, recover.\n',
  );
  process.exit(isAsked ? 0 : 2);
}

// Listened to before anything is started: a stop that comes meanwhile waits for the start, and a database that was left alone would live on.
const asked = new Promise<void>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
});
try {
  const plane = await createControlPlane(readConfig());
  void asked
    .then(() => plane.close())
    .then(
      () => process.exit(0),
      (error: unknown) => {
        plane.context.log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
} catch (error) {
  refuse(error);
}
