/** An installation as it comes: embedded database, throw-away keys, and only the commands. Backed up while it serves, lost with its machine, and brought back. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../infra/free-port.ts';
import { cordonctl, ctl, makeFolder } from './_fleet.ts';

const MAIN = path.join(import.meta.dirname, '../apps/control-plane/src/main.ts');

interface Service {
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

const serve = async (stateDir: string, port: number, more: Readonly<Record<string, string>> = {}): Promise<Service> => {
  const env = { PATH: '/usr/bin:/bin', CORDON_STATE: stateDir, CORDON_ADMIN_PORT: String(port), CORDON_DEVICE_PORT: '0', ...more };
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  onTestFinished(stop);
  await expect.poll(() => said.includes('"ready"') || child.exitCode !== null, { timeout: 60_000 }).toBe(true);
  expect(child.exitCode, said).toBeNull();
  return { process: child, stop };
};

/** The embedded database's account must pass through. */
const makeState = (): string => {
  const folder = makeFolder();
  fs.chmodSync(folder, 0o711);
  return path.join(folder, 'state');
};

describe('an installation with the embedded database', () => {
  it('is backed up while it serves, and restored on another machine, by commands alone', { timeout: 180_000 }, async () => {
    const [first, second, place] = [makeState(), makeState(), makeFolder()];
    const at = (...names: readonly string[]): string => path.join(place, ...names);
    const port = await freePort(randomInt(12_000, 31_000));
    const api = async (stateDir: string, url: string): Promise<number> => {
      const token = fs.readFileSync(path.join(stateDir, 'admin-token'), 'utf8').trim();
      return (await fetch(`http://127.0.0.1:${port}/api/v1${url}`, { headers: { authorization: `Bearer ${token}` } })).status;
    };
    const on = (stateDir: string, ...args: readonly string[]) => cordonctl(args, { CORDON_STATE: stateDir });
    const done = async (stateDir: string, ...args: readonly string[]): Promise<string> => {
      const said = await on(stateDir, ...args);
      expect(said, said.stderr).toMatchObject({ status: 0 });
      return said.stdout;
    };
    expect(await on(first, 'recover')).toMatchObject({ status: 1, stdout: expect.stringContaining('nothing-here') as unknown });

    const service = await serve(first, port);
    expect(await api(first, '/devices')).toBe(200);
    fs.writeFileSync(at('secret'), randomBytes(24).toString('base64url'), { mode: 0o600 });
    await done(first, 'backup', '--out', at('backup'), '--passphrase', at('secret'));
    expect(await done(first, 'recover', '--out', at('before'))).toContain('whole');
    expect((await on(first, 'restore', '--from', at('backup'), '--passphrase', at('secret'))).stderr).toContain('state.in-use');
    await service.stop();
    expect((await on(first, 'backup', '--out', at('backup'), '--passphrase', at('secret'))).stderr).toContain('backup.exists');
    await done(first, 'backup', '--out', at('stopped'), '--passphrase', at('secret'));
    expect(fs.existsSync(path.join(first, 'postgres/postmaster.pid'))).toBe(false);

    await done(second, 'restore', '--from', at('backup'), '--passphrase', at('secret'), '--verify');
    await done(second, 'restore', '--from', at('backup'), '--passphrase', at('secret'));
    expect(await on(second, 'recover', '--out', at('found'))).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('epoch-closed') as unknown,
    });
    const root = path.join(second, 'signer/root.key');
    await ctl('keys', 'raise-epoch', '--organisation', at('found/organisation.json'), '--with', root, '--out', at('next'));
    const again = await serve(second, port, { CORDON_ORGANISATION: at('next/server') });
    expect(await api(second, '/devices')).toBe(200);
    expect(await done(second, 'recover', '--out', at('after'))).toContain('epoch 1');
    await again.stop();
  });
});
