import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installHelpers, type Helpers } from '../launch/helpers.ts';
import { accountNamed } from '../local-api/accounts.ts';
import { createWatch, type Watch } from './watch.ts';

let folder: string;
let helpers: Helpers;
let child: ChildProcess;
let pid: number | undefined;
let setting: string;
let watch: Watch;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-watch-'));
  fs.chmodSync(folder, 0o755);
  helpers = installHelpers(path.join(folder, 'helpers'));
  setting = path.join(folder, 'max_user_namespaces');
  fs.writeFileSync(setting, '100\n');
  child = spawn('sleep', ['600'], { stdio: 'ignore' });
  pid = child.pid;
  const account = accountNamed('nobody') ?? { name: 'nobody', uid: 65_534, gid: 65_534, home: '/' };
  watch = createWatch({ helpers, egress: { pid: () => pid }, account, settings: [setting, path.join(folder, 'not-there')] });
});
afterAll(() => {
  child.kill('SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});

it('sees the same as long as nothing changes, and no problem', () => {
  expect(watch.look()).toEqual(watch.look());
  expect(watch.look().problems).toEqual([]);
});

it('sees a setting of the kernel that changed', () => {
  const { fingerprint } = watch.look();
  fs.writeFileSync(setting, '0\n');
  expect(watch.look()).toMatchObject({ fingerprint: expect.not.stringMatching(fingerprint) as unknown, problems: [] });
  fs.writeFileSync(setting, '100\n');
  expect(watch.look().fingerprint).toBe(fingerprint);
});

it('sees a helper that was changed, that others can write to, and that is gone', () => {
  const { fingerprint } = watch.look();
  fs.chmodSync(helpers.filter, 0o666);
  expect(watch.look().problems).toEqual([`${helpers.filter} can be written to by others`]);
  fs.chmodSync(helpers.filter, 0o644);
  expect(watch.look().problems).toEqual([]);
  expect(watch.look().fingerprint).not.toBe(fingerprint);
  fs.renameSync(helpers.executor, `${helpers.executor}.away`);
  expect(watch.look().problems).toEqual([`${helpers.executor} is not there any more`]);
  fs.renameSync(`${helpers.executor}.away`, helpers.executor);
});

it('sees an egress process that is stopped, that has ended, and that there is none', async () => {
  const { fingerprint } = watch.look();
  child.kill('SIGSTOP');
  await expect.poll(() => watch.look().problems).toEqual([`the egress process ${pid} is stopped or has ended`]);
  expect(watch.look().fingerprint).not.toBe(fingerprint);
  child.kill('SIGCONT');
  await expect.poll(() => watch.look().problems).toEqual([]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(watch.look().problems).toEqual([`the egress process ${pid} is stopped or has ended`]);
  pid = undefined;
  expect(watch.look().problems).toEqual(['the egress process does not run']);
});

it('tries whether bubblewrap makes a sandbox', async () => {
  expect(await watch.probe()).toBe(true);
  const account = accountNamed('nobody') ?? { name: 'nobody', uid: 65_534, gid: 65_534, home: '/' };
  for (const bubblewrap of ['/bin/false', '/nonexistent/bwrap'])
    expect(await createWatch({ helpers: { ...helpers, bubblewrap }, egress: { pid: () => pid }, account }).probe()).toBe(false);
});
