import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identityOf, preflight } from './preflight.ts';

let folder: string;
beforeAll(() => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-preflight-')));
  fs.mkdirSync(path.join(folder, 'real/inner'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'file'), 'x');
  fs.symlinkSync('real', path.join(folder, 'link'));
  fs.symlinkSync('loop', path.join(folder, 'loop'));
  fs.symlinkSync('nowhere', path.join(folder, 'dangling'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const codeOf = (place: string): unknown => {
  try {
    preflight([place]);
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('preflight', () => {
  it('knows each path by device and inode', () => {
    const places = [folder, path.join(folder, 'real'), path.join(folder, 'file')];
    const identities = preflight(places);
    expect([...identities]).toEqual(places.map((place) => [place, identityOf(place)]));
    expect(new Set(identities.values()).size).toBe(3);
  });

  it('refuses what is not there', () => {
    for (const name of ['missing', 'dangling', 'loop', 'file/below'])
      expect(codeOf(path.join(folder, name)), name).toBe('launch.path-missing');
    expect(codeOf(`${folder}/${'x'.repeat(300)}`)).toBe('launch.path-missing');
  });

  it('refuses what is reached through a symbolic link, or written in a way that it is not called', () => {
    for (const name of ['link', 'link/inner', 'real/../real', 'real/']) expect(codeOf(`${folder}/${name}`), name).toBe('launch.path-link');
  });

  it('refuses a socket', async () => {
    const socket = path.join(folder, 's');
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    expect(codeOf(socket)).toBe('launch.path-socket');
    await new Promise((resolve) => server.close(resolve));
  });
});
