/** Before a launch: paths as they truly are, so that the gate can compare what was mounted with what was checked. Errors are values of the launch, never throws. */
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';

/** Device and inode of a path, as `dev:ino`. */
export type Identity = string;

export const identityOf = (path: string): Identity | undefined => {
  try {
    const { dev, ino } = fs.statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
};

/** Every granted path must be what it is called: no symbolic link on the way. @throws CordonError `launch.path-missing`, `launch.path-link`, `launch.path-socket` */
export const preflight = (paths: readonly string[]): ReadonlyMap<string, Identity> => {
  const identities = new Map<string, Identity>();
  for (const path of paths) {
    let real: string;
    let stat: fs.Stats;
    try {
      real = fs.realpathSync.native(path);
      stat = fs.lstatSync(path);
    } catch (cause) {
      throw new CordonError('launch.path-missing', `${path} is granted but cannot be read; it was there a moment ago`, {
        place: path,
        cause,
      });
    }
    if (real !== path)
      throw new CordonError('launch.path-link', `${path} is reached through a symbolic link (it is ${real}); grant the real path`, {
        place: path,
      });
    if (stat.isSocket())
      throw new CordonError('launch.path-socket', `${path} is a socket: whoever listens there would act for the run`, { place: path });
    identities.set(path, `${stat.dev}:${stat.ino}`);
  }
  return identities;
};

/**
 * A mask hides a name. What has a second name may lie under that in a grant, and nobody can tell where.
 * @param hidden places that the run must not see
 * @throws CordonError `launch.path-hard-link`
 */
export const requireOneName = (hidden: readonly string[]): void => {
  for (const path of hidden) {
    const stat = fs.lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() === true && stat.nlink > 1)
      throw new CordonError(
        'launch.path-hard-link',
        `${path} is denied, but is one file with ${stat.nlink} names (hard links), of which a mask hides one. Make it a file of its own, or deny the folders that hold the others and this one`,
        { place: path },
      );
  }
};
