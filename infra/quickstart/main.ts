/**
 * `npm run quickstart`: the main job from end to end on this machine. An admin's policy reaches an endpoint, contains a real workload there, and the admin
 * sees the proof, all through the public API. With `--exit` it stops everything and ends with status 0 only if every expectation held.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { createApi } from './api.ts';
import { demonstrate } from './demonstrate.ts';
import { startControlPlane } from './services.ts';
import { createShow } from './show.ts';
import { createWorld } from './world.ts';

const leave = process.argv.includes('--exit');
const show = createShow(
  (text) => process.stdout.write(text),
  () => performance.now(),
);
const world = createWorld(`planted-${randomBytes(12).toString('hex')}`);
const stops: (() => Promise<void>)[] = [];
let stopping: Promise<void> | undefined;
const stopAll = (): Promise<void> =>
  (stopping ??= (async () => {
    for (const stop of stops.reverse()) await stop();
    fs.rmSync(world.root, { recursive: true, force: true });
  })());
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stopAll().then(() => process.exit(signal === 'SIGINT' ? 130 : 143)));

show.line(`Cordon quickstart: the agent runs as ${world.account.name}, everything lies in ${world.root}`);
show.line('The keys made here are thrown away with it: a real organisation keeps root and floor keys offline.');
let failure: unknown;
try {
  const plane = await show.step('1. Starting the control plane with its embedded database', () =>
    startControlPlane(world, (service) => stops.push(() => service.stop())),
  );
  const endpoint = await demonstrate({
    world,
    show,
    plane,
    api: createApi(plane.adminUrl, plane.token),
    onStop: (stop) => stops.push(stop),
  });
  show.line(`\n${show.counts.held} expectations held, ${show.counts.failed} failed`);
  if (!leave) {
    show.line(`\nThe control plane stays up: ${plane.adminUrl}/api/v1 (OpenAPI: /api/v1/openapi.json)`);
    show.line(`Owner token: ${plane.token()}`);
    show.line(`The endpoint stays up too; ask it, from another terminal:\n  export CORDON_AGENT_RUNTIME=${endpoint.runtimeDir}`);
    const as = process.getuid?.() === 0 ? `--user ${world.account.name} ` : '';
    for (const words of ['status', `why ${as}${world.credential}`, `run ${as}-- ls /`]) show.line(`  npm run -s cordon -- ${words}`);
    show.line('End it with Ctrl-C.');
  }
} catch (error) {
  failure = error;
  show.line(`\nQuickstart failed: ${error instanceof Error ? error.message : String(error)}`);
}
if (leave || failure !== undefined) {
  await stopAll();
  process.exit(failure === undefined && show.counts.failed === 0 ? 0 : 1);
}
