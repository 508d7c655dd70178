import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDaemonLog, readDaemonLog } from './daemon-log.ts';

let folder: string;
const now = (): Date => new Date('2026-03-01T12:00:00Z');
const nobody = (): void => undefined;

beforeEach(() => void (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-daemon-log-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

it('what the daemon says is kept, also over a restart, and goes where it always went', () => {
  const said: string[] = [];
  openDaemonLog(folder, now, (message) => said.push(message)).write('one');
  openDaemonLog(folder, now, nobody).write('two\nlines');
  expect(readDaemonLog(folder).map(({ message }) => message)).toEqual(['one', 'two\nlines']);
  expect(said).toEqual(['one']);
  expect(fs.statSync(path.join(folder, 'log/daemon.jsonl')).mode & 0o077).toBe(0);
});

it('the newest two million bytes of it are kept', () => {
  const log = openDaemonLog(folder, now, nobody);
  for (let i = 0; i < 1500; i += 1) log.write(`${i} ${'x'.repeat(2000)}`);
  const kept = readDaemonLog(folder);
  expect(kept.at(-1)?.message).toMatch(/^1499 /);
  expect(kept.length).toBeGreaterThan(500);
  const sizes = fs.readdirSync(path.join(folder, 'log')).map((name) => fs.statSync(path.join(folder, 'log', name)).size);
  expect([sizes.length, Math.max(...sizes) <= 1_048_576]).toEqual([2, true]);
});

it('who follows hears what comes, and a torn line is left out', () => {
  const log = openDaemonLog(folder, now, nobody);
  log.write('one');
  const heard: string[] = [];
  const stop = log.subscribe(({ message }) => heard.push(message));
  log.write('two');
  stop();
  log.write('three');
  expect(heard).toEqual(['two']);
  fs.appendFileSync(path.join(folder, 'log/daemon.jsonl'), '{"at":"2026","mess');
  expect(readDaemonLog(folder)).toHaveLength(3);
});

it('a disk that takes nothing costs lines, not the daemon', () => {
  fs.writeFileSync(path.join(folder, 'log'), '');
  const said: string[] = [];
  openDaemonLog(folder, now, (message) => said.push(message)).write('one');
  expect([said, readDaemonLog(folder)]).toEqual([['one'], []]);
});
