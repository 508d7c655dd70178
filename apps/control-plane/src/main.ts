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

try {
  const plane = await createControlPlane(readConfig());
  let stopping = false;
  const stop = (status: number): void => {
    if (stopping) return;
    stopping = true;
    void plane.close().then(
      () => process.exit(status),
      (error: unknown) => {
        plane.context.log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', () => stop(0));
  process.once('SIGINT', () => stop(0));
} catch (error) {
  if (!(error instanceof CordonError)) throw error;
  process.stderr.write(`cordon: ${error.message} (${error.code})\n`);
  process.exitCode = 1;
}
