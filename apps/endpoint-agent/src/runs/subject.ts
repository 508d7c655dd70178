/** Who and what is launched, and where: the subject and the path variables of one launch. */
import fs from 'node:fs';
import path from 'node:path';
import { agentFolders, recognise } from '@cordon/policy/agents/profile.ts';
import type { PathVariables, Subject } from '@cordon/policy/effective.ts';
import type { Account } from '../local-api/accounts.ts';

const PROGRAM_FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin'];
const TOOL_FOLDERS = ['/usr/local', '/opt'];

const findProgram = (name: string, cwd: string): string | undefined => {
  const places = name.includes('/') ? [path.resolve(cwd, name)] : PROGRAM_FOLDERS.map((folder) => path.join(folder, name));
  for (const place of places) {
    try {
      return fs.realpathSync.native(place);
    } catch {
      continue; // not there
    }
  }
  return undefined;
};

/**
 * Whether the account, or anyone else but root, could change a file or put another in its place. Another user's file is no proof either: two accounts may
 * be one person's, and an account has more groups than its first.
 */
const couldChange = (file: string, account: Account): boolean => {
  for (let at = file; ; at = path.dirname(at)) {
    const stat = fs.statSync(at, { throwIfNoEntry: false });
    if (
      stat === undefined ||
      stat.uid !== 0 ||
      stat.uid === account.uid ||
      (stat.mode & 0o002) !== 0 ||
      ((stat.mode & 0o020) !== 0 && stat.gid !== 0)
    )
      return true;
    if (at === '/') return false;
  }
};

/** @param claimed the id that the caller gives; a claim never gains an allow of a named agent */
export const subjectOf = (argv: readonly string[], cwd: string, account: Account, claimed: string | undefined): Subject => {
  const file = findProgram(argv[0] ?? '', cwd);
  return {
    agent: recognise({ file: file ?? argv[0] ?? '', userWritable: file === undefined || couldChange(file, account), claimed }),
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
