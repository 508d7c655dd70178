/** Accounts of this machine, as the operating system lists them. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

const parse = (line: string): Account[] => {
  const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
  return /^\d+$/.test(uid) && name !== '' ? [{ name, uid: Number(uid), gid: Number(gid), home: home === '' ? '/nonexistent' : home }] : [];
};

const ofThisMachine = (): Account[] => fs.readFileSync('/etc/passwd', 'utf8').split('\n').flatMap(parse);

/** Whoever has the number, on this machine; its directory services are not asked, for that may take long. */
export const localAccount = (uid: number): Account | undefined => ofThisMachine().find((account) => account.uid === uid);

const FIRST_PERSON = 1000;
const LAST_PERSON = 60_000;

/** Whom this daemon serves: a root daemon root, every person's account and those named; any other only itself. */
export const servedAccounts = (named: readonly string[]): Account[] => {
  const me = os.userInfo();
  if (me.uid !== 0) return [{ name: me.username, uid: me.uid, gid: me.gid, home: me.homedir }];
  return ofThisMachine().filter(({ uid, name }) => uid === 0 || (uid >= FIRST_PERSON && uid < LAST_PERSON) || named.includes(name));
};

/** An account by name: one of this machine, else one of its directory services, which a program must be started for. */
export const accountNamed = (name: string): Account | undefined => {
  if (!/^[A-Za-z0-9_.][A-Za-z0-9_.@-]{0,63}$/.test(name)) return undefined;
  const local = ofThisMachine().find((account) => account.name === name);
  if (local !== undefined) return local;
  try {
    return parse(execFileSync('getent', ['passwd', name], { encoding: 'utf8', timeout: 5000 }).trim())[0];
  } catch {
    return undefined; // no such account
  }
};
