/** The state folder belongs to the daemon alone: whoever else could write there, or replace a folder on the way to it, could take away what was accepted last. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';

const OPEN_TO_OTHERS = 0o077;
const STICKY = 0o1000;
/** Node's cache of compiled modules, which the command keeps beside the state and checks by itself. */
const SHARED = 'compile-cache';

const refuse = (place: string, why: string): never => {
  throw new CordonError(
    'state.unsafe',
    `${place} ${why}: the daemon's state must be its own. Give it back to this account with mode 0700 (files 0600), or name another folder in CORDON_AGENT_STATE`,
    { place },
  );
};

/** Who may replace what lies in a folder: its owner and whoever may write there, unless only the owner of an entry may remove it. */
const checkParent = (folder: string, mine: number): void => {
  const stat = fs.lstatSync(folder);
  if (stat.uid !== 0 && stat.uid !== mine) refuse(folder, `belongs to account ${stat.uid}`);
  // A link's own mode means nothing; where it leads is checked as a folder of its own. A user's private group, which many systems let write, is that user.
  const others = mine === 0 ? 0o022 : 0o002;
  if (!stat.isSymbolicLink() && (stat.mode & others) !== 0 && (stat.mode & STICKY) === 0) refuse(folder, 'can be written to by others');
};

const parentsOf = (place: string): string[] => {
  const parents: string[] = [];
  for (let at = path.dirname(place); !parents.includes(at); at = path.dirname(at)) parents.push(at);
  return parents;
};

const checkEntry = (place: string, mine: number): void => {
  const stat = fs.lstatSync(place);
  if (stat.isSymbolicLink()) refuse(place, 'is a symbolic link');
  if (!stat.isFile() && !stat.isDirectory()) refuse(place, 'is neither a file nor a folder');
  if (stat.uid !== mine) refuse(place, `belongs to account ${stat.uid}`);
  if ((stat.mode & OPEN_TO_OTHERS) !== 0) refuse(place, 'can be read or written by others');
};

/**
 * Checks owner, mode and kind of the folder, of everything directly in it, and of every folder on the way, as named and as it really lies.
 * @throws CordonError `state.unsafe`
 */
export const checkStateFolder = (stateDir: string): void => {
  const mine = process.getuid?.();
  // Where the system knows no such accounts, its own rights hold.
  if (mine === undefined) return;
  const named = path.resolve(stateDir);
  checkEntry(named, mine);
  for (const parent of new Set([...parentsOf(named), ...parentsOf(fs.realpathSync(named))])) checkParent(parent, mine);
  for (const name of fs.readdirSync(named)) if (name !== SHARED) checkEntry(path.join(named, name), mine);
};

/** @returns a look at the folder, to be taken now and then: it tells what became unsafe, once until it is safe again. What is in force is in memory and stays */
export const watchStateFolder = (stateDir: string, tell: (code: string, message: string) => void): (() => void) => {
  let told = '';
  return () => {
    try {
      checkStateFolder(stateDir);
      told = '';
    } catch (error) {
      const { code, message } = error instanceof CordonError ? error : { code: 'state.unsafe', message: String(error) };
      if (told !== message) tell(code, message);
      told = message;
    }
  };
};
