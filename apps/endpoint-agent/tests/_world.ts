/** A small world for stories: one folder outside /tmp (which is private inside a sandbox), an unprivileged account, and a place to work in. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { accountNamed, type Account } from '../src/local-api/accounts.ts';

export const IS_ROOT = process.getuid?.() === 0;

/** Whose authority a run has: for root an account without any rights, else this user. */
const chooseAccount = (): Account => {
  const me = os.userInfo();
  if (!IS_ROOT) return { name: me.username, uid: me.uid, gid: me.gid, home: me.homedir };
  const nobody = accountNamed('nobody');
  if (nobody === undefined) throw new Error('this machine has no account nobody');
  return nobody;
};

export interface World {
  readonly root: string;
  readonly account: Account;
  /** Owned by the account. */
  readonly workspace: string;
  /** Short, for sockets. */
  readonly runtimeDir: string;
  /** Makes a folder that belongs to the account. */
  folder(name: string): string;
  /** Writes a file that belongs to the account. */
  file(name: string, content: string, mode?: number): string;
  remove(): void;
}

export const createWorld = (): World => {
  const account = chooseAccount();
  const root = fs.realpathSync(fs.mkdtempSync('/var/tmp/cordon-story-'));
  const runtimeDir = fs.mkdtempSync('/tmp/cordon-');
  for (const place of [root, runtimeDir]) fs.chmodSync(place, 0o755);
  const own = (place: string): string => {
    if (IS_ROOT) fs.chownSync(place, account.uid, account.gid);
    return place;
  };
  const folder = (name: string): string => {
    const place = path.join(root, name);
    fs.mkdirSync(place, { recursive: true, mode: 0o755 });
    return own(place);
  };
  return {
    root,
    account,
    runtimeDir,
    workspace: folder('workspace'),
    folder,
    file: (name, content, mode = 0o644) => {
      const place = path.join(root, name);
      fs.writeFileSync(place, content);
      fs.chmodSync(place, mode);
      return own(place);
    },
    remove: () => {
      for (const place of [root, runtimeDir]) fs.rmSync(place, { recursive: true, force: true });
    },
  };
};

/** Processes of this machine whose command line holds a text. */
export const processesWith = (text: string): number[] =>
  fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
      } catch {
        return false; // ended in between
      }
    })
    .map(Number);
