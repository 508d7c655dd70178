/** Who and what is launched, and where: the subject and the path variables of one launch. */
import fs from 'node:fs';
import path from 'node:path';
import { agentFolders, recognise } from '@cordon/policy/agents/profile.ts';
import type { PathVariables, Subject } from '@cordon/policy/effective.ts';
import type { Account } from '../local-api/accounts.ts';

const PROGRAM_FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin'];
const TOOL_FOLDERS = ['/usr/local', '/opt'];

const placesOf = (name: string, cwd: string): readonly string[] =>
  name.includes('/') ? [path.resolve(cwd, name)] : PROGRAM_FOLDERS.map((folder) => path.join(folder, name));

const MOST_LINKS = 40;

/**
 * Every folder that is looked into on the way to a file, whatever links lead there, and the file: whoever starts the program goes that way again.
 * @returns undefined when nothing is there
 */
const wayTo = (place: string): readonly string[] | undefined => {
  const way = ['/'];
  const rest = place.split('/');
  let at = '/';
  for (let links = 0; rest.length > 0;) {
    const name = rest.shift() ?? '';
    if (name === '' || name === '.') continue;
    const next = path.join(at, name);
    const stat = fs.lstatSync(next, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isSymbolicLink()) {
      if ((links += 1) > MOST_LINKS) return undefined;
      const target = fs.readlinkSync(next);
      rest.unshift(...target.split('/'));
      if (target.startsWith('/')) at = '/';
    } else way.push((at = next));
  }
  return way;
};

/**
 * Whether the account, or anyone else but root, could put something else there. Another user's file is no proof either: two accounts may be one person's, and an
 * account has more groups than its first.
 */
const couldChange = (place: string, account: Account): boolean => {
  const stat = fs.lstatSync(place, { throwIfNoEntry: false });
  return (
    stat === undefined ||
    stat.uid !== 0 ||
    stat.uid === account.uid ||
    (stat.mode & 0o002) !== 0 ||
    ((stat.mode & 0o020) !== 0 && stat.gid !== 0)
  );
};

const wayOrNone = (place: string): readonly string[] | undefined => {
  try {
    return wayTo(place);
  } catch {
    return undefined; // not there, or not to be looked at
  }
};

/** @param claimed the id that the caller gives; a claim never gains an allow of a named agent */
export const subjectOf = (argv: readonly string[], cwd: string, account: Account, claimed: string | undefined): Subject => {
  const [program = ''] = argv;
  const way = placesOf(program, cwd)
    .map(wayOrNone)
    .find((found) => found !== undefined);
  const userWritable = way === undefined || way.some((place) => couldChange(place, account));
  return {
    agent: recognise({ file: way?.at(-1) ?? program, userWritable, claimed }),
    user: account.name,
    os: 'linux',
  };
};

/** The working directory as it truly is; policy decides whether it is a workspace. */
export const variablesOf = (cwd: string, account: Account, agent: string): PathVariables => {
  let workspace: string | undefined;
  try {
    workspace = fs.realpathSync.native(cwd);
  } catch {
    workspace = undefined; // gone: no workspace
  }
  return {
    home: account.home,
    workspace,
    tmp: '/tmp',
    tools: TOOL_FOLDERS.filter((folder) => fs.existsSync(folder)),
    agent: agentFolders(agent, account.home),
  };
};
