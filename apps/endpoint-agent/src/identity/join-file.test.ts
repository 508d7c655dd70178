import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cutAt, LOSSES } from '../_power-cut.ts';
import { openJoinFile } from './join-file.ts';

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-joins-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const silent = (message: string): void => {
  throw new Error(message);
};
const open = (): ReturnType<typeof openJoinFile> => openJoinFile(folder, silent);

describe('the line of sessions on this device', () => {
  it('counts every attempt, also over restarts, and has one mark until there is a session', () => {
    const first = open().attempt();
    const second = open().attempt();
    const joins = open();
    const third = joins.attempt();
    expect([first.count, second.count, third.count]).toEqual([1, 2, 3]);
    expect([second.last, second.next, third.last, third.next]).toEqual([first.last, first.next, first.last, first.next]);
    joins.confirmed();
    const fourth = open().attempt();
    expect(fourth).toMatchObject({ count: 4, last: first.next });
    expect(fourth.next).not.toBe(first.next);
    expect(fs.statSync(path.join(folder, 'joins.json')).mode & 0o777).toBe(0o600);
  });

  it('draws its mark when it is asked for, not before: a copy of a device at rest has another', () => {
    const joins = open();
    joins.attempt();
    joins.confirmed();
    const stored = fs.readFileSync(path.join(folder, 'joins.json'));
    const here = open().attempt();
    fs.writeFileSync(path.join(folder, 'joins.json'), stored);
    const there = open().attempt();
    expect([there.count, there.last]).toEqual([here.count, here.last]);
    expect(there.next).not.toBe(here.next);
  });

  it('goes on above a number that the control plane knows, as long as that is not absurd', () => {
    const joins = open();
    joins.attempt();
    expect([joins.raise(41), joins.raise(40), joins.raise(41 + 1_000_001), joins.raise(Number.NaN), joins.raise(2_147_483_647)]).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(joins.attempt().count).toBe(42);
    expect(open().attempt().count).toBe(43);
  });

  it('never gives a number twice, whenever the power goes', async () => {
    for (const loss of LOSSES) {
      for (let step = 0, cut = true; cut; step += 1) {
        fs.rmSync(path.join(folder, 'joins.json'), { force: true });
        let sent = open().attempt().count;
        cut = await cutAt(step, loss, () => {
          const joins = open();
          sent = joins.attempt().count;
          joins.confirmed();
          sent = joins.attempt().count;
        });
        expect(open().attempt().count, `${loss}, step ${step}`).toBeGreaterThan(sent);
      }
    }
  });

  it('that is damaged begins anew, which the control plane sees', () => {
    const before = open().attempt();
    for (const text of ['', '{', 'null', '{"count":-1,"last":"x","next":null}', '{"count":1,"last":"x","next":null,"more":1}']) {
      fs.writeFileSync(path.join(folder, 'joins.json'), text);
      const after = open().attempt();
      expect([after.count, after.last === before.last]).toEqual([1, false]);
    }
  });

  it('goes on in memory where the disk is full, and says so', () => {
    const said: string[] = [];
    const joins = openJoinFile(folder, (message) => said.push(message));
    joins.attempt();
    const full = vi.spyOn(fs, 'writeFileSync').mockImplementation(() => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    });
    const [second, third] = [joins.attempt(), joins.attempt()];
    full.mockRestore();
    expect([second.count, third.count, said.length]).toEqual([2, 3, 2]);
    expect(said[0]).toContain('the disk is full');
  });
});
