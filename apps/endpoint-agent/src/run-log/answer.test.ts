import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Reply } from '../local-api/protocol.ts';
import { answerFrom, type Answering, type Asker } from './answer.ts';
import { openDaemonLog } from './daemon-log.ts';
import type { MemoryRequest } from './requests.ts';
import { openRunLog } from './run-log.ts';

let folder: string;
let answering: Answering;
const now = (): Date => new Date('2026-03-01T12:00:00Z');

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-answer-'));
  const runLog = openRunLog(path.join(folder, 'run-log'), now);
  runLog.begin({
    kind: 'refused',
    at: now().toISOString(),
    run: 'run_a',
    uid: 1000,
    user: 'ada',
    code: 'launch.no-policy',
    message: 'none',
  });
  answering = { stateDir: folder, runLog, daemonLog: openDaemonLog(folder, now, () => undefined), isLive: () => false };
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const ask = (request: MemoryRequest, asker: Asker): string[] => {
  const replies: Reply[] = [];
  answerFrom(request, asker, answering, { reply: (reply) => replies.push(reply), end: () => replies.push({ type: 'taken', cost: 0 }) });
  return replies.map(({ type }) => type);
};
const ada = { uid: 1000, isOwn: false };
const eve = { uid: 1001, isOwn: false };
const root = { uid: 0, isOwn: false };

it('a run is for its owner and for root; for others there is none of that name', () => {
  for (const asker of [ada, root]) {
    expect(ask({ op: 'explain', run: 'run_a' }, asker)).toEqual(['explained', 'taken']);
    expect(ask({ op: 'explain' }, asker)).toEqual(['explained', 'taken']);
    expect(ask({ op: 'run-log', run: 'run_a', follow: true }, asker)).toEqual(['entry', 'taken']);
  }
  for (const op of ['explain', 'run-log'] as const) {
    const said = [{ run: 'run_a' }, { run: 'run_b' }].map(({ run }) => {
      try {
        return ask(op === 'explain' ? { op, run } : { op, run, follow: false }, eve);
      } catch (error) {
        return String(error).replace(run, '');
      }
    });
    expect(said[0]).toBe(said[1]);
  }
  expect(() => ask({ op: 'explain' }, eve)).toThrow(expect.objectContaining({ code: 'run.none' }));
  expect(ask({ op: 'runs', most: 9 }, eve)).toEqual(['runs', 'taken']);
});

it('what the daemon said is for root and for its own account', () => {
  answering.daemonLog?.write('one');
  expect(ask({ op: 'daemon-log', follow: false }, root)).toEqual(['line', 'taken']);
  expect(ask({ op: 'daemon-log', follow: true }, { uid: 1000, isOwn: true })).toEqual(['line']);
  expect(() => ask({ op: 'daemon-log', follow: false }, ada)).toThrow(expect.objectContaining({ code: 'local.user' }));
});
