import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { describe, expect, it } from 'vitest';
import { isAlive, startTimeOf } from '../launch/gate.ts';
import { endAgent, isAbove, treeOf } from './stop.ts';

const start = async (code: string): Promise<{ pid: number; startTime: string; said: string; ended: Promise<unknown> }> => {
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'exit');
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const pid = child.pid ?? 0;
  return { pid, startTime: startTimeOf(pid) ?? '', said: said.toString().trim(), ended };
};
const isThere = (pid: number): boolean => isAlive(pid, startTimeOf(pid) ?? '');

describe('the end of an agent', () => {
  it('is the end of what it started, also where it does not want to go', async () => {
    const { pid, startTime, said, ended } = await start(
      `process.on('SIGTERM', () => undefined);
       const child = require('node:child_process').spawn('sleep', ['300'], { stdio: 'ignore', detached: true });
       console.log(child.pid); setInterval(() => undefined, 1000);`,
    );
    expect(isThere(Number(said))).toBe(true);
    expect(await endAgent({ pid, startTime })).toBe(true);
    await ended;
    await expect.poll(() => isThere(Number(said))).toBe(false);
  });

  it('is asked for first: who puts things away gets to do it', async () => {
    const { pid, startTime, ended } = await start(
      "process.on('SIGTERM', () => process.exit(42)); console.log('up'); setInterval(() => undefined, 1000);",
    );
    const gone = endAgent({ pid, startTime });
    expect(await ended).toEqual([42, null]);
    expect(await gone).toBe(true);
  });

  it('is nobody else’s: neither of a later process with its number, nor of what the daemon was started from', async () => {
    const { pid, ended } = await start("console.log('up'); setInterval(() => undefined, 1000);");
    expect([await endAgent({ pid, startTime: '1' }), isThere(pid)]).toEqual([true, true]);
    const [parent, own] = [process.ppid, process.pid];
    for (const above of [parent, own, 1]) expect(await endAgent({ pid: above, startTime: startTimeOf(above) ?? '' })).toBe(false);
    process.kill(pid, 'SIGKILL');
    await ended;
  });
});

describe('a tree of processes', () => {
  it('has each process below its top once, none that is spared and nothing below it, also in a table that was made while it changed', () => {
    const row = fc.record({ pid: fc.integer({ min: 1, max: 30 }), parent: fc.integer({ min: 0, max: 30 }) });
    fc.assert(
      fc.property(fc.uniqueArray(row, { selector: ({ pid }) => pid, maxLength: 30 }), fc.integer({ min: 1, max: 30 }), (table, spared) => {
        // Parents are older: numbers that lead in a circle cannot be read twice the same, and must not be followed for ever.
        const grown = table.filter(({ pid, parent }) => parent < pid);
        const tree = treeOf(grown, 1, new Set([spared])).map(({ pid }) => pid);
        expect(new Set(tree).size).toBe(tree.length);
        expect(tree).not.toContain(spared);
        for (const pid of tree) expect(isAbove(grown, 1, pid)).toBe(true);
        for (const { pid } of grown)
          if (isAbove(grown, 1, pid) && !isAbove(grown, spared, pid) && tree.length > 0) expect(tree).toContain(pid);
        expect([true, false]).toContain(isAbove(table, 1, 30));
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
