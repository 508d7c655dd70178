import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDoors } from './doors.ts';
import { createOrigin } from './origin.ts';

let folder: string;
let server: net.Server;
let file: string;
const seen: net.Socket[] = [];
beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-origin-'));
  file = path.join(folder, 'a.sock');
  seen.length = 0;
  server = net.createServer((socket) => seen.push(socket.on('error', () => socket.destroy())));
  await new Promise<void>((resolve) => server.listen(file, resolve));
});
afterEach(() => {
  for (const socket of seen) socket.destroy();
  server.close();
  fs.rmSync(folder, { recursive: true, force: true });
});
const arrived = async (count: number): Promise<net.Socket> => {
  await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(count);
  const socket = seen.at(-1);
  if (socket === undefined) throw new Error('nobody came');
  return socket;
};
/** A process in a network of its own, which connects. */
const elsewhere = (): ReturnType<typeof spawn> =>
  spawn('unshare', ['--user', '--map-current-user', '--net', 'socat', '-u', `UNIX-CONNECT:${file}`, '/dev/null'], { stdio: 'ignore' });

describe('where a connection was made', () => {
  it('is here, in a run, or nowhere that is known', async () => {
    const here = net.connect(file);
    const run = elsewhere();
    const sandboxed = { run: { attestation: { pid: run.pid ?? 0 } } };
    const other = { run: { attestation: { pid: process.pid } } };
    await arrived(2);
    const originOf = createOrigin(() => [other, sandboxed]);
    const origins = seen.map((socket) => originOf(socket));
    expect(origins.filter((origin) => origin === undefined)).toHaveLength(1);
    expect(origins.filter((origin) => origin === sandboxed)).toHaveLength(1);
    const unknown = createOrigin(() => []);
    const codes = seen.map((socket) => {
      try {
        return unknown(socket) ?? 'here';
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    expect(codes.sort()).toEqual(['here', 'local.origin']);
    here.destroy();
    run.kill();
  });

  it('is nowhere for a connection that is closed', async () => {
    net.connect(file);
    const socket = await arrived(1);
    socket.destroy();
    await once(socket, 'close');
    expect(() => createOrigin(() => [])(socket)).toThrow(expect.objectContaining({ code: 'local.origin' }));
  });
});

describe('a door', () => {
  it('answers once somebody serves, with its own name, and is gone when it is closed', async () => {
    const doors = createDoors(folder);
    const [one, two] = [await doors.open(), await doors.open()];
    const early = net.connect(one.socket);
    await once(early, 'close');
    const answered: string[] = [];
    doors.serve((socket, door) => {
      answered.push(door);
      socket.end('x');
    });
    for (const door of [one, two, one]) {
      const socket = net.connect(door.socket).resume();
      await once(socket, 'close');
    }
    expect(answered).toEqual([one.socket, two.socket, one.socket]);
    one.close();
    expect(fs.existsSync(one.folder)).toBe(false);
    await expect(once(net.connect(one.socket), 'connect')).rejects.toMatchObject({ code: 'ENOENT' });
    two.close();
  });
});
