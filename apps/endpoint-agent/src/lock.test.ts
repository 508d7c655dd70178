import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockState } from './lock.ts';

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-lock-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('lockState', () => {
  it('is held by one, and free again when that one releases it', () => {
    const lock = lockState(folder);
    expect(() => lockState(folder)).toThrow(expect.objectContaining({ code: 'daemon.already-running', place: folder }));
    lock.release();
    lockState(folder).release();
  });

  it('is free again when its process was killed', async () => {
    const script = path.join(folder, 'holder.ts');
    fs.writeFileSync(
      script,
      `import { lockState } from ${JSON.stringify(path.join(import.meta.dirname, 'lock.ts'))};\nconst lock = lockState(process.argv[2] ?? '');\nprocess.send?.('held');\nsetInterval(() => lock, 1000);\n`,
    );
    const holder = fork(script, [folder], { execArgv: ['--disable-warning=ExperimentalWarning'] });
    await once(holder, 'message');
    expect(() => lockState(folder)).toThrow(expect.objectContaining({ code: 'daemon.already-running' }));
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    lockState(folder).release();
  });

  it('of several that start at once after a crash exactly one gets it', async () => {
    const script = path.join(folder, 'racer.ts');
    fs.writeFileSync(
      script,
      `import { lockState } from ${JSON.stringify(path.join(import.meta.dirname, 'lock.ts'))};
let held;
try { held = lockState(process.argv[2] ?? ''); } catch {}
process.send?.(held === undefined ? 'refused' : 'held');
setInterval(() => held, 1000);
`,
    );
    const racers = Array.from({ length: 4 }, () => fork(script, [folder], { execArgv: ['--disable-warning=ExperimentalWarning'] }));
    const said = await Promise.all(racers.map(async (racer) => ((await once(racer, 'message')) as [string])[0]));
    for (const racer of racers) racer.kill('SIGKILL');
    expect(said.sort()).toEqual(['held', 'refused', 'refused', 'refused']);
  });

  it('says what is wrong with a folder that cannot be locked', () => {
    expect(() => lockState(path.join(folder, 'missing'))).toThrow(expect.objectContaining({ code: 'state.unusable' }));
  });
});
