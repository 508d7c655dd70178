import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEtc } from './etc.ts';

let root: string;
let source: string;
let folder: string;
const write = (name: string, content: string, mode = 0o644): void => {
  const file = path.join(source, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
  fs.chmodSync(file, mode);
};
const read = (name: string): string => fs.readFileSync(path.join(folder, name), 'utf8');
const has = (name: string): boolean => fs.lstatSync(path.join(folder, name), { throwIfNoEntry: false }) !== undefined;
const ADA = { name: 'ada', uid: 1000, gid: 1000, home: '/home/ada' };

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-etc-'));
  [source, folder] = [path.join(root, 'source'), path.join(root, 'copy')];
  write('passwd', 'root:x:0:0:root:/root:/bin/bash\neve:x:1001:1001::/home/eve:/bin/sh\n');
  write('machine-id', 'b0a7e5c2d19f4a7c8f8f5d5b4f7e6a11\n');
  write('hosts', '10.1.2.3 database.internal\n');
  write('resolv.conf', 'nameserver 10.1.2.1\nsearch corp.example\n');
  write('services', 'https 443/tcp\n');
  write('fstab', 'nas.corp.example:/home /home nfs\n');
  write('npmrc', '//registry.corp.example/:_authToken=secret\n');
  write('ssl/openssl.cnf', 'x\n');
  write('ssl/server.key', 'PRIVATE\n');
  write('maven/settings.xml', '<password>x</password>\n');
  write('profile', 'only for some\n', 0o640);
  write('ssl/certs/one.pem', 'CERT\n');
  fs.symlinkSync('/usr/share/zoneinfo/UTC', path.join(source, 'localtime'));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

describe('what a run sees of /etc', () => {
  it('is what programs need, and what everybody may read of it', () => {
    createEtc(folder, source);
    expect(read('services')).toBe('https 443/tcp\n');
    expect(read('ssl/openssl.cnf')).toBe('x\n');
    expect(fs.readlinkSync(path.join(folder, 'localtime'))).toBe('/usr/share/zoneinfo/UTC');
    for (const name of ['fstab', 'npmrc', 'profile', 'ssl/server.key', 'maven/settings.xml'])
      expect([name, has(name)]).toEqual([name, false]);
  });

  it('tells nothing of the machine and its people', () => {
    createEtc(folder, source);
    const everything = spawnSync('grep', ['-rE', 'eve|corp|internal|b0a7e5c2', folder], { encoding: 'utf8' }).stdout;
    expect(everything).toBe('');
    expect(read('hostname')).toBe('cordon\n');
  });

  it('knows the account of a run by its name, once, and takes no lines from it', () => {
    const etc = createEtc(folder, source);
    etc.prepare(ADA, []);
    etc.prepare(ADA, []);
    etc.prepare({ name: 'odd', uid: 1002, gid: 1000, home: '/home/odd\nroot2:x:0:0::/:/bin/sh' }, []);
    expect(read('passwd').split('\n').slice(2)).toEqual([
      'ada:x:1000:1000::/home/ada:/bin/sh',
      'odd:x:1002:1000::/home/odd_root2_x_0_0__/_/bin/sh:/bin/sh',
      '',
    ]);
    expect(read('group').split('\n').slice(2)).toEqual(['ada:x:1000:', '']);
  });

  it('has a place for whatever a plan mounts there, and nothing of what lies at it', () => {
    const etc = createEtc(folder, source);
    const places = ['fstab', 'ssl/private-of-nobody', 'apache2/sites'].map((name) => path.join(source, name));
    fs.mkdirSync(places[2] ?? '', { recursive: true });
    etc.prepare(ADA, [...places, source, '/srv/elsewhere', path.join(source, '../outside')]);
    expect(read('fstab')).toBe('');
    expect(fs.readdirSync(path.join(folder, 'apache2/sites'))).toEqual([]);
    expect(has('ssl/private-of-nobody')).toBe(false); // not there, so nothing is mounted
  });

  it('mounts the machine’s own certificates, and has only a place for them', () => {
    const etc = createEtc(folder, source);
    expect(etc.shared).toEqual([path.join(source, 'ssl/certs')]);
    expect(fs.readdirSync(path.join(folder, 'ssl/certs'))).toEqual([]);
  });

  it('follows what changes on the machine, and loses what is gone', () => {
    const etc = createEtc(folder, source);
    write('services', 'https 443/tcp\nhttp 80/tcp\n');
    fs.rmSync(path.join(source, 'ssl/openssl.cnf'));
    write('ssl/other.cnf', 'y\n');
    fs.rmSync(path.join(source, 'localtime'));
    etc.renew();
    expect(read('services')).toContain('http 80/tcp');
    expect([has('ssl/openssl.cnf'), has('ssl/other.cnf'), has('localtime')]).toEqual([false, true, false]);
    expect(fs.existsSync(path.join(folder, 'ssl/certs'))).toBe(true); // mounted over in runs that live
  });

  it('can be read by every account, whatever this process keeps to itself', () => {
    const before = process.umask(0o077);
    try {
      createEtc(folder, source).prepare(ADA, [path.join(source, 'fstab')]);
    } finally {
      process.umask(before);
    }
    const modes = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isSymbolicLink());
    for (const entry of modes) {
      const mode = fs.statSync(path.join(entry.parentPath, entry.name)).mode & 0o777;
      expect([entry.name, mode]).toEqual([entry.name, entry.isDirectory() ? 0o755 : 0o644]);
    }
  });

  it('a pipe or an endless file in its place keeps nobody waiting', () => {
    fs.rmSync(path.join(source, 'services'));
    expect(spawnSync('sh', ['-c', 'mkfifo "$1"', 'sh', path.join(source, 'services')]).status).toBe(0);
    createEtc(folder, source);
    expect(has('services')).toBe(false);
  });
});
