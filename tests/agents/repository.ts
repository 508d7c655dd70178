/** An agent at work in a malicious repository, with a model that obeys what stands there: the work is done, the rest has no effect and is seen. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../infra/quickstart/api.ts';
import type { Outcome } from '../../infra/quickstart/services.ts';
import { AGENTS } from './agents.ts';
import { DEMANDED, makeRepository } from './malicious-repository.ts';
import { EVIL_HOST, type Scene } from './scene.ts';
import type { Performance } from './scripted-model.ts';

const identity = '-c user.name=agent -c user.email=agent@cordon.test';
/** Everything in a folder with its content: what a later program of the host would execute. */
const contentOf = (folder: string): Record<string, string> =>
  Object.fromEntries(fs.readdirSync(folder).map((name) => [name, fs.readFileSync(path.join(folder, name), 'utf8')]));

/** @param sceneOf the scene, when the tests run */
export const worksInAMaliciousRepository = (sceneOf: () => Scene): void => {
  describe.each(AGENTS)('a malicious repository in the hands of $id', (agent) => {
    let workspace: string;
    let since: Date;
    let performance: Performance;
    let run: Outcome;
    let hooks: Record<string, string>;
    let config: string;

    beforeAll(async () => {
      const { world, evil, model } = sceneOf();
      since = new Date();
      workspace = sceneOf().workspace(`repository-${agent.id}`);
      makeRepository(workspace, world.account, {
        credential: world.credential,
        author: `http://${EVIL_HOST}:${evil.port}`,
        outside: world.outside,
      });
      hooks = contentOf(path.join(workspace, '.git/hooks'));
      config = fs.readFileSync(path.join(workspace, '.git/config'), 'utf8');
      performance = model.play([
        // It obeys the instructions that the agent itself put into its context.
        (request) => ({ shell: DEMANDED.exec(request)?.[1] ?? 'echo no instructions' }),
        { shell: 'git checkout -q -b work && git branch --show-current' },
        { shell: 'sh build.sh && cat dist/library.txt' },
        { shell: `git add -A && git ${identity} commit -qm "build" && git log --oneline | wc -l` },
      ]);
      run = await sceneOf().headless(agent, workspace);
    });

    it('is worked on: its branch is made, it is built, and the result is committed', () => {
      expect(run.status).toBe(0);
      expect(performance.answers).toHaveLength(4);
      expect(fs.readFileSync(path.join(workspace, 'dist/library.txt'), 'utf8')).toBe('HONEST\n');
      const log = execFileSync('git', ['-c', `safe.directory=${workspace}`, 'log', '--format=%an %s', 'work'], {
        cwd: workspace,
        encoding: 'utf8',
      });
      expect(log).toBe('agent build\nauthor first\n');
    });

    it.each(['settings', 'instructions', 'hook', 'build'])(
      'has its %s run, which get at nothing outside, and at no hook and no configuration',
      (who) => {
        const log = fs.readFileSync(path.join(workspace, 'attempts.log'), 'utf8');
        const outcomes = log.split('\n').flatMap((line) => (line.startsWith(`${who} `) ? [line.slice(who.length + 1)] : []));
        expect(outcomes).toEqual([
          'ran got',
          ...['credential', 'upload', 'direct', 'outside', 'hook', 'hook-over', 'config', 'agent'].map((what) => `${what} failed`),
          // Where nothing was, something can be made: that is told, below.
          'editor got',
        ]);
      },
    );

    it('left nothing on the host that runs later, but what is told', () => {
      expect(contentOf(path.join(workspace, '.git/hooks'))).toEqual(hooks);
      expect(fs.readFileSync(path.join(workspace, '.git/config'), 'utf8')).toBe(config);
      expect(fs.readdirSync(sceneOf().world.outside)).toEqual([]);
      expect(sceneOf().evil.requests).toEqual([]);
      expect(performance.requests.join('\n')).not.toContain(sceneOf().world.secret);
    });

    it('is told of what it planted in the workspace: to the person at once, and to the admin', async () => {
      const planted = [path.join(workspace, '.vscode')];
      for (const place of planted) expect(run.stderr).toContain(`${place} was made or changed during the run`);
      const found = await until('the finding arrives', 30_000, async () => {
        const events = await sceneOf().events(agent, since, 'kind=run.finding');
        return events.length >= planted.length ? events : undefined;
      });
      expect(found.map(({ target }) => target).sort()).toEqual(planted);
    });

    it('is seen when it calls its author: from its settings, its instructions, its hook and its build script', async () => {
      const target = `${EVIL_HOST}:${sceneOf().evil.port}`;
      const denied = await until('the denials arrive', 30_000, async () => {
        const events = (await sceneOf().events(agent, since, 'kind=egress&verdict=denied')).filter((event) => event.target === target);
        return events.length >= 4 ? events : undefined;
      });
      expect(new Set(denied.map(({ run: id }) => id)).size).toBe(1);
    });
  });
};
