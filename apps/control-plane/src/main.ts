/** `node apps/control-plane/src/main.ts`: the control plane as a service. Configured by environment (config.ts); ends in order on SIGTERM and SIGINT. */
import { CordonError } from '@cordon/policy/errors.ts';
import { readConfig } from './config.ts';
import { createControlPlane } from './start.ts';

const words = process.argv.slice(2);
if (words.length > 0) {
  const isAsked = words.includes('--help') || words.includes('-h');
  (isAsked ? process.stdout : process.stderr).write(
    'The control plane takes no arguments: it is configured by environment (CORDON_STATE, CORDON_ADMIN_PORT, DATABASE_URL, …); docs/operator.md lists it all.\n',
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
  if (!(error instanceof CordonError)) throw error;
  process.stderr.write(`cordon: ${error.message} (${error.code})\n`);
  process.exitCode = 1;
}
