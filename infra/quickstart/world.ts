/** A small world for the demonstration: folders, an account, an allowed and a forbidden host. Everything lies in one folder that goes away with it. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Whose authority the agent runs with: this user, or for root an account without any rights. */
export const chooseAccount = (): Account => {
  const me = os.userInfo();
  if (me.uid !== 0) return { name: me.username, uid: me.uid, gid: me.gid };
  const id = (option: string): number => Number(execFileSync('id', [option, 'nobody'], { encoding: 'utf8' }));
  return { name: 'nobody', uid: id('-u'), gid: id('-g') };
};

export interface World {
  readonly root: string;
  readonly account: Account;
  readonly workspace: string;
  readonly tools: string;
  readonly shared: string;
  readonly credential: string;
  readonly outside: string;
  readonly secret: string;
}

export const createWorld = (secret: string): World => {
  const account = chooseAccount();
  const root = fs.mkdtempSync(path.join(fs.existsSync('/var/tmp') ? '/var/tmp' : os.tmpdir(), 'cordon-quickstart-'));
  fs.chmodSync(root, 0o755);
  const folder = (name: string): string => {
    const place = path.join(root, name);
    fs.mkdirSync(place, { recursive: true, mode: 0o755 });
    fs.chownSync(place, account.uid, account.gid);
    return place;
  };
  const world = {
    root,
    account,
    workspace: folder('workspace'),
    tools: folder('tools'),
    shared: folder('shared'),
    outside: folder('outside'),
    credential: path.join(folder('shared/credentials'), 'token'),
    secret,
  };
  fs.writeFileSync(world.credential, `${secret}\n`, { mode: 0o600 });
  fs.chownSync(world.credential, account.uid, account.gid);
  fs.writeFileSync(path.join(world.shared, 'readme.txt'), 'shared notes\n');
  // The same Node that runs Cordon, at a place that the account can reach wherever the clone lies.
  fs.copyFileSync(process.execPath, path.join(world.tools, 'node'), fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(path.join(world.tools, 'node'), 0o755);
  return world;
};

export interface Site {
  readonly port: number;
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** A host on this machine that notes who asked it for what. */
export const createSite = async (answer: string): Promise<Site> => {
  const requests: string[] = [];
  const server = http.createServer((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    response.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the site has no port');
  return { port: address.port, requests, close: () => new Promise((resolve) => server.close(() => resolve())) };
};
