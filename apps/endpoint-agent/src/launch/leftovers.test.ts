import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { endLeftovers, isOfLaunch } from './leftovers.ts';

const PLACES = { helpers: '/run/cordon/helpers', egress: '/run/cordon/egress' };

it.each([
  [true, ['/run/cordon/helpers/lxc-exec', '--config', '/dev/fd/4']],
  [true, ['/usr/bin/socat', 'TCP-LISTEN:3128', 'UNIX-CONNECT:/run/cordon/egress/seat_1/proxy.sock']],
  [true, ['/usr/bin/bwrap', '--unshare-net', '--', '/usr/bin/socat', 'UNIX-CONNECT:/run/cordon/egress/seat_1/proxy.sock']],
  [true, ['/usr/bin/bwrap', '--ro-bind', '/run/cordon/helpers/etc', '/etc', '--json-status-fd', '6', '--', 'sh']],
  [false, ['/usr/bin/socat', 'TCP-LISTEN:3128', 'UNIX-CONNECT:/run/cordon2/egress/seat_1/proxy.sock']],
  [false, ['/opt/other/lxc-exec', '--config', '/dev/fd/4']],
  [false, ['vi', '/run/cordon/helpers/lxc-exec']],
  [false, ['grep', 'UNIX-CONNECT:/run/cordon/egress/seat_1/proxy.sock']],
  [false, ['bwrap', '--ro-bind', '/', '/', 'ls', '/run/cordon/helpers/etc']],
  [false, []],
])('%s: %j', (is, argv) => {
  expect(isOfLaunch(argv, PLACES)).toBe(is);
});

it('ends what is left, and nothing else', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-left-'));
  const executor = path.join(folder, 'lxc-exec');
  fs.copyFileSync('/bin/sleep', executor);
  fs.chmodSync(executor, 0o755);
  const left = spawn(executor, ['60'], { stdio: 'ignore' });
  const other = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    await once(left, 'spawn');
    await expect.poll(() => endLeftovers({ helpers: folder, egress: path.join(folder, 'egress') })).toBe(1);
    await expect.poll(() => left.signalCode).toBe('SIGKILL');
    expect(other.exitCode ?? other.signalCode).toBe(null);
  } finally {
    for (const child of [left, other]) child.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true });
  }
});
