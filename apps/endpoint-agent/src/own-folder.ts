/** Folders that this process makes, changes and empties: only its own. */
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';

/**
 * Makes a folder that everybody may enter and only this account can write to, or takes the one that is there if it is such a one. Where the default lies in a
 * folder of all users, somebody else may have put a link, or a folder of their own, in its place.
 * @throws CordonError `folder.unsafe`
 */
export const ownFolder = (place: string): void => {
  fs.mkdirSync(place, { recursive: true, mode: 0o755 });
  const stat = fs.lstatSync(place);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o022) !== 0)
    throw new CordonError(
      'folder.unsafe',
      `${place} must be a folder of this account that nobody else can write to: remove it, or name another place in CORDON_AGENT_RUNTIME`,
      { place },
    );
  fs.chmodSync(place, 0o755);
};
