import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IS_ROOT } from '../../tests/_world.ts';
import type { Account } from './accounts.ts';
import { ask, connectLocal } from './client.ts';
import { createDecoder, encode, KIND, socketFor, type Reply } from './protocol.ts';
import { startLocalApi } from './server.ts';

const me: Account = { name: 'me', uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, home: '/' };
const other: Account = { name: 'other', uid: 65_534, gid: 65_534, home: '/nonexistent' };

let folder: string;
let asked: string[];
let closed: number;
let api: { stop(): void };
const start = async (accounts: readonly Account[], place = folder): Promise<void> => {
  api = await startLocalApi(
    place,
    accounts,
    () => undefined,
    ({ account, reply }) => ({
      onRequest: (request) => {
        asked.push(`${account.name} ${request.op}`);
        reply({ type: 'error', code: 'test.heard', message: request.op });
      },
      onInput: (chunk) => asked.push(`${account.name} ${chunk.length} bytes`),
      onClose: () => (closed += 1),
    }),
  );
};
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-local-'));
  fs.chmodSync(folder, 0o755);
  asked = [];
  closed = 0;
});
afterEach(() => {
  api?.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

describe('the local API', () => {
  it('knows who asks by the socket', async () => {
    await start(IS_ROOT ? [me, other] : [me]);
    await expect(ask(socketFor(folder, me.uid), { op: 'status' })).rejects.toMatchObject({ code: 'test.heard', message: 'status' });
    if (IS_ROOT) await expect(ask(socketFor(folder, other.uid), { op: 'status' })).rejects.toMatchObject({ code: 'test.heard' });
    expect(asked).toEqual(IS_ROOT ? ['me status', 'other status'] : ['me status']);
    await expect.poll(() => closed).toBeGreaterThan(0);
  });

  it('an account reaches its own socket and no other, and can put nothing in its place', async () => {
    await start(IS_ROOT ? [me, other] : [me]);
    const mine = path.dirname(socketFor(folder, me.uid));
    expect(fs.statSync(mine).mode & 0o777).toBe(0o700);
    if (!IS_ROOT) return;
    const theirs = path.dirname(socketFor(folder, other.uid));
    expect(fs.statSync(theirs)).toMatchObject({ uid: 0, gid: other.gid });
    expect(fs.statSync(theirs).mode & 0o777).toBe(0o710);
    const as = (uid: number, script: string): number | null =>
      spawnSync('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sh', '-c', script], { stdio: 'ignore' }).status;
    expect(as(other.uid, `echo | socat - UNIX-CONNECT:${theirs}/cordon.sock`)).toBe(0);
    expect(as(other.uid, `echo | socat - UNIX-CONNECT:${mine}/cordon.sock`)).not.toBe(0);
    expect(as(other.uid, `touch ${theirs}/x || rm -f ${theirs}/cordon.sock`)).not.toBe(0);
    expect(as(12_345, `echo | socat - UNIX-CONNECT:${theirs}/cordon.sock`)).not.toBe(0);
  });

  it('nonsense ends its connection with a code, and nothing else', async () => {
    await start([me]);
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      encode(KIND.stdout, 'x'),
      encode(KIND.control, '{}'),
      encode(KIND.control, 'not json'),
      Buffer.from([0, 255, 255, 255, 255]),
    ]) {
      const socket = net.connect(socketFor(folder, me.uid));
      const codes: string[] = [];
      socket.on(
        'data',
        createDecoder((_kind, payload) => codes.push((JSON.parse(payload.toString('utf8')) as Extract<Reply, { type: 'error' }>).code)),
      );
      socket.write(bytes);
      await once(socket, 'close');
      expect(codes[0]).toMatch(/^local\.(frame|request)$/);
    }
    await expect(ask(socketFor(folder, me.uid), { op: 'status' })).rejects.toMatchObject({ code: 'test.heard' });
  });

  it('input arrives in order with the rest', async () => {
    await start([me]);
    const client = await connectLocal(socketFor(folder, me.uid), () => undefined);
    client.send({ op: 'signal', signal: 'terminate' });
    client.socket.write(encode(KIND.stdin, 'four'));
    client.socket.write(encode(KIND.stdin, ''));
    client.socket.end();
    await expect.poll(() => asked).toEqual(['me signal', 'me 4 bytes', 'me 0 bytes']);
    await expect.poll(() => closed).toBeGreaterThan(0);
  });

  it('says when nobody is there, or a path would be too long', async () => {
    await expect(ask(path.join(folder, 'none.sock'), { op: 'status' })).rejects.toMatchObject({ code: 'daemon.not-running' });
    await expect(start([me], path.join(folder, 'x'.repeat(100)))).rejects.toMatchObject({ code: 'local.path' });
  });
});
