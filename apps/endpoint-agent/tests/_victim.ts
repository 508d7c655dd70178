/** A launcher in a process of its own, to be killed: starts one run that would go on for an hour, and tells its world once the next seat is prepared too. Argument: a mark for the run. */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startLauncher } from './_launcher.ts';
import { createWorld } from './_world.ts';

const world = createWorld();
const { launcher, request } = await startLauncher(world);
await launcher.launch(request(['sh', '-c', `sleep 3600; : ${process.argv[2] ?? ''}`]));
while (fs.readdirSync(path.join(world.runtimeDir, 'egress')).length < 2) await wait(10);
process.send?.({ root: world.root, runtimeDir: world.runtimeDir });
