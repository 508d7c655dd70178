import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ownSocket } from './client.ts';
import { socketFor } from './protocol.ts';

let folder: string;
beforeEach(() => void (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-client-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const uid = process.getuid?.() ?? 0;
const [own, system] = [() => path.join(folder, 'own'), () => path.join(folder, 'system')];
const make = (runtimeDir: string): string => {
  const socket = socketFor(runtimeDir, uid);
  fs.mkdirSync(path.dirname(socket), { recursive: true });
  fs.writeFileSync(socket, '');
  return socket;
};
const asked = (systemRuntime: string | undefined, runSocket?: string): string => ownSocket({ runSocket, runtimeDir: own(), systemRuntime });

it('an account asks its own daemon, and the one of the machine where it has none', () => {
  expect(asked(system())).toBe(socketFor(own(), uid));
  const there = make(system());
  expect(asked(system())).toBe(there);
  expect(asked(undefined)).toBe(socketFor(own(), uid));
  const mine = make(own());
  expect(asked(system())).toBe(mine);
});

it('a run asks at its door, whatever else there is', () => {
  make(system());
  expect(asked(system(), '/door')).toBe('/door');
});
