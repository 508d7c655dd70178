/** What the sandbox's SDK carries and does not export: the makers of what goes to its native library, and on Linux the native executor. For tests only. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ContainerRequest } from '@microsoft/mxc-sdk/v1';
// The contract as types, made by the SDK from its schema; it does not export them.
import type { OneShotRequest } from '../../../../node_modules/@microsoft/mxc-sdk/dist/generated/v1_0_0/wire.js';
import type { NativeRequest } from '../launch-plan.ts';

const at = (file: string): URL => new URL(file, import.meta.resolve('@microsoft/mxc-sdk/package.json'));

interface Container {
  /** Validates a request and makes the configuration of the contract. */
  prepareContainerRequest(request: ContainerRequest): OneShotRequest;
}
export const { prepareContainerRequest } = (await import(at('dist/v1/container.js').href)) as Container;

/** A native request in the contract's own type. */
export const asContract = ({ process, filesystem, network, ...rest }: NativeRequest): OneShotRequest => ({
  ...rest,
  process: { ...process, env: [...process.env] },
  filesystem: {
    readonlyPaths: [...filesystem.readonlyPaths],
    readwritePaths: [...filesystem.readwritePaths],
    deniedPaths: [...filesystem.deniedPaths],
  },
  network,
});

const executor = fileURLToPath(at(`bin/${process.arch === 'arm64' ? 'arm64' : 'x64'}/lxc-exec`));
/** Never as root: what root may do says nothing of what the run may. */
const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** @returns status and what was said, of a configuration that the native executor runs, or only judges */
export const execute = (
  config: OneShotRequest,
  ...options: readonly string[]
): { readonly status: number | null; readonly said: string } => {
  const { status, stdout, stderr, error } = spawnSync(
    executor,
    [...options, '--config-base64', Buffer.from(JSON.stringify(config)).toString('base64')],
    { ...account, cwd: '/', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, encoding: 'utf8', timeout: 30_000 },
  );
  if (error !== undefined) throw error;
  return { status, said: `${stdout}${stderr}` };
};
