import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { accountNamed } from '../local-api/accounts.ts';
import type { LiveRun } from '../runs/run-table.ts';
import { createLearning, type Lesson } from './learning.ts';
import type { LearnReply } from './learned.ts';
import { findStrace } from './recorder.ts';

const root = process.getuid?.() === 0;
const account = (root ? accountNamed('nobody') : undefined) ?? {
  name: 'me',
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  home: '/',
};

let child: ChildProcess | undefined;
afterEach(() => child?.kill('SIGKILL'));
/** A process of the account in the place of a sandbox's init. */
const start = async (line: string): Promise<number> => {
  const started = spawn('/bin/sh', ['-c', line], {
    stdio: ['pipe', 'pipe', 'ignore'],
    ...(root && { uid: account.uid, gid: account.gid }),
  });
  child = started;
  await once(started.stdout, 'data');
  return started.pid ?? 0;
};
const live = {
  run: { run: 'run_1' },
  subject: { agent: { id: 'codex', proof: 'claimed' }, user: account.name, os: 'linux' },
  account,
  cwd: '/',
} as Partial<Record<keyof LiveRun, unknown>> as LiveRun;
const lessonWith = (find: () => string | undefined): Lesson =>
  createLearning({ helpers: { setpriv: '/usr/bin/setpriv' } }, { counted: { add: () => undefined }, file: () => undefined }, find).begin(
    account,
    false,
  );
const filesOf = (replies: readonly LearnReply[]): unknown => {
  const last = replies.at(-1);
  return last?.type === 'learned' ? last.learned.files : undefined;
};

describe('learning from a run', () => {
  it('sees what it asks for from before its gate opens until its end', async () => {
    const init = await start('echo ready; read line; cat /nonexistent/file; read line < /etc/hostname; exit 0');
    const lesson = lessonWith(findStrace);
    await lesson.attach(init);
    child?.stdin?.end('go\n');
    if (child !== undefined) await once(child, 'exit');
    const replies = await lesson.finish(live);
    expect(filesOf(replies)).toEqual({ recorder: 'strace', complete: true, why: null });
    const files = replies.flatMap((reply) => (reply.type === 'learned.files' ? reply.files : []));
    expect(files).toContainEqual({ access: 'read', path: '/nonexistent/file', code: 'ENOENT', count: 1 });
    expect(files).toContainEqual({ access: 'read', path: '/etc/hostname', code: null, count: 1 });
  });

  it('says that it did not see all when its recorder is ended', async () => {
    const init = await start('echo ready; read line; read line');
    const lesson = lessonWith(findStrace);
    await lesson.attach(init);
    const tracer = Number(/^TracerPid:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/${init}/status`, 'utf8'))?.[1]);
    process.kill(tracer, 'SIGKILL');
    child?.stdin?.end('go\n');
    if (child !== undefined) await once(child, 'exit');
    expect(filesOf(await lesson.finish(live))).toMatchObject({
      recorder: 'strace',
      complete: false,
      why: expect.stringContaining('ended before'),
    });
  });

  it.each([
    ['there is no strace', undefined, 'install the package strace'],
    ['strace cannot trace', '/bin/true', 'could not be attached'],
    ['strace cannot be started', '/nonexistent/strace', 'could not be attached'],
  ] as const)('goes on without files where %s, and says so', async (_what, strace, why) => {
    const init = await start('echo ready; read line');
    const lesson = lessonWith(() => strace);
    await lesson.attach(init);
    child?.stdin?.end('go\n');
    expect(filesOf(await lesson.finish(live))).toEqual({ recorder: null, complete: false, why: expect.stringContaining(why) });
  });

  it('takes only a strace that root alone can change', () => {
    expect(findStrace(['/nonexistent', '/tmp'])).toBeUndefined();
    expect(findStrace(['/bin/sh'])).toBe('/bin/sh');
  });
});
