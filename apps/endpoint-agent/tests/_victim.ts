/**
 * A launcher in a process of its own, to be killed. Arguments: a mark for the run, and the moment: `living` (one run that would go on for an hour, and the next seat is
 * prepared too), `held` (the run waits at its gate) or `opened` (it ends itself as soon as the gate is open).
 */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startLauncher } from './_launcher.ts';
import { createWorld } from './_world.ts';

const [mark = '', moment = 'living'] = process.argv.slice(2);
const world = createWorld();
const { launcher, request } = await startLauncher(world);
const tell = (): void => void process.send?.({ root: world.root, runtimeDir: world.runtimeDir });
const asked = request(['sh', '-c', `touch started; sleep 3600; : ${mark}`], {
  ...(moment === 'held' && {
    onHeld: async () => {
      tell();
      await wait(3_600_000);
    },
  }),
});
if (moment === 'opened')
  await new Promise<void>((resolve) => process.send?.({ root: world.root, runtimeDir: world.runtimeDir }, () => resolve()));
await launcher.launch(asked);
if (moment === 'opened') process.kill(process.pid, 'SIGKILL');
while (fs.readdirSync(path.join(world.runtimeDir, 'egress')).length < 2) await wait(10);
tell();
