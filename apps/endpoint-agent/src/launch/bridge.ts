/** The egress bridge of a root daemon: socat, started from outside into the run's network namespace. Nothing of it is visible inside, the workload cannot end or replace it. */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Helpers } from './helpers.ts';
import { PROXY_PORT } from './start-script.ts';

const LISTENING = `:${PROXY_PORT.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`;
const READY_MS = 10_000;

/** Ends the bridge and the connections that it forked: they are one process group. */
export const stopBridge = (bridge: ChildProcess): void => {
  if (bridge.pid === undefined) return;
  try {
    process.kill(-bridge.pid, 'SIGKILL');
  } catch {
    bridge.kill('SIGKILL'); // the group is gone already
  }
};

/** Whether something listens at the proxy's address in the network namespace of a process; false when the process is gone. */
const isListening = (pid: number): boolean => {
  try {
    return fs.readFileSync(`/proc/${pid}/net/tcp`, 'latin1').includes(LISTENING);
  } catch {
    return false; // gone: whoever waits sees it too
  }
};

/** @throws CordonError `launch.bridge` when it does not listen; the workload is not started before it does */
export const startBridge = async (
  helpers: Helpers,
  pid: number,
  socket: string,
  user: { readonly uid: number; readonly gid: number },
): Promise<ChildProcess> => {
  const bridge = spawn(
    helpers.nsenter,
    [
      `--net=/proc/${pid}/ns/net`,
      '-S',
      String(user.uid),
      '-G',
      String(user.gid),
      helpers.socat,
      `TCP-LISTEN:${PROXY_PORT},bind=127.0.0.1,fork,reuseaddr`,
      `UNIX-CONNECT:${socket}`,
    ],
    { stdio: 'ignore', env: { PATH: '/usr/bin:/bin' }, cwd: '/', detached: true },
  );
  let failed: Error | undefined;
  bridge.once('error', (error) => (failed = error));
  const end = performance.now() + READY_MS;
  while (!isListening(pid)) {
    if (failed !== undefined || bridge.exitCode !== null || performance.now() > end || !fs.existsSync(`/proc/${pid}`)) {
      stopBridge(bridge);
      throw new CordonError('launch.bridge', `the way out of the sandbox did not open${failed === undefined ? '' : `: ${failed.message}`}`);
    }
    await nextTurn();
  }
  return bridge;
};
