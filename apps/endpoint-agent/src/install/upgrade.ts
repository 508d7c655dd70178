/** Another version in place of the one in use. State and settings stay; a version whose daemon does not serve is not left in use. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { compareVersions } from '@cordon/policy/trust/package.ts';
import { demandPlatform, layOut, type Package, type Target } from './install.ts';
import { currentOf, previousOf } from './layout.ts';
import { linked, point, prune, unpack } from './versions.ts';

export interface UpgradeTarget extends Target {
  /** Whether the daemon that should be running serves, as the version that is in use says of itself; asked after each start. Waits as long as it may take. */
  readonly serves: (version: string) => Promise<boolean>;
  /** Versions that the installed folder says it is. */
  readonly versionIn: (folder: string) => Promise<string>;
}

const TIMEOUT_MS = 30_000;

/** A version that cannot even say what it is does not get as far as the service. @throws CordonError `upgrade.broken` */
const demandStarts = (folder: string): void => {
  const node = path.join(folder, process.platform === 'win32' ? 'bin/node.exe' : 'bin/node');
  const program = [path.join(folder, 'lib/cordon.js'), '--version'];
  const { status, stderr, error } = spawnSync(node, program, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    env: {},
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0)
    throw new CordonError(
      'upgrade.broken',
      `the new version does not start on this machine, and nothing was changed: ${(error?.message ?? stderr.trim()).slice(0, 400)}`,
    );
};

/**
 * @param older whether a version that is older than the one in use is wanted
 * @throws CordonError `upgrade.not-installed`, `upgrade.older`, `upgrade.broken`; `upgrade.went-back` when the version before is in use again
 */
export const upgrade = async (target: UpgradeTarget, pack: Package, older: boolean): Promise<string> => {
  const { layout, service, log, serves, versionIn } = target;
  demandPlatform(pack);
  const before = linked(currentOf(layout));
  if (before === undefined) throw new CordonError('upgrade.not-installed', `nothing is installed in ${layout.home}: use cordon install`);
  const [had, has] = [await versionIn(before), pack.manifest.version];
  if (compareVersions(has, had) < 0 && !older)
    throw new CordonError('upgrade.older', `version ${has} is older than ${had}, which is in use; --older takes it all the same`);
  const folder = unpack(layout.home, pack.manifest, pack.jws, pack.files);
  if (folder === before) {
    log(`version ${has} is in use already`);
    return folder;
  }
  demandStarts(folder);
  const use = async (version: string): Promise<boolean> => {
    layOut(target, version);
    point(currentOf(layout), version);
    service.reload();
    service.restart();
    return serves(version);
  };
  point(previousOf(layout), before);
  const isServing = await use(folder).catch((error: unknown) => {
    log(`the service did not start with version ${has}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  });
  if (!isServing) {
    const isBack = await use(before);
    throw new CordonError(
      'upgrade.went-back',
      `version ${has} did not serve; version ${had} is in use again${isBack ? '' : ', and does not serve either: look at the log of the service'}. The state of this device is untouched`,
    );
  }
  prune(layout.home, [folder, before]);
  log(`version ${has} is in use; ${had} is kept in ${before}`);
  return folder;
};
