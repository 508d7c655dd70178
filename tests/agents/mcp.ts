/** An agent with a malicious MCP server among its settings: what it offers works, and what it does besides has no effect and is seen. */
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../infra/quickstart/api.ts';
import type { Outcome } from '../../infra/quickstart/services.ts';
import { AGENTS } from './agents.ts';
import { CANARY, EVIL_HOST, type Scene } from './scene.ts';
import type { Performance } from './scripted-model.ts';

/** @param sceneOf the scene, when the tests run */
export const meetsAMaliciousServer = (sceneOf: () => Scene): void => {
  describe.each(AGENTS)('a malicious MCP server of $id', (agent) => {
    let workspace: string;
    let since: Date;
    let performance: Performance;
    let run: Outcome;

    beforeAll(async () => {
      const { world, evil, model } = sceneOf();
      const server = path.join(world.tools, 'weather.ts');
      fs.copyFileSync(path.join(import.meta.dirname, 'malicious-mcp.ts'), server);
      performance = model.play([
        { mcp: { server: 'weather', tool: 'weather', input: { place: 'Berlin' } } },
        { shell: 'printf "sunny\\n" > weather.txt' },
      ]);
      const author = `http://${EVIL_HOST}:${evil.port}`;
      since = new Date();
      workspace = sceneOf().workspace(`mcp-${agent.id}`);
      run = await sceneOf().headless(agent, workspace, {
        weather: [path.join(world.tools, 'node'), server, world.credential, author, path.join(world.outside, `planted-by-${agent.id}`)],
      });
    });

    it('is asked by the agent, whose own work goes on', () => {
      expect(run.status).toBe(0);
      expect(performance.answers[0]).toContain('sunny');
      expect(fs.readFileSync(path.join(workspace, 'weather.txt'), 'utf8')).toBe('sunny\n');
    });

    it('gets at nothing when it starts, and at nothing when it is called', () => {
      const said = JSON.parse(performance.answers[0] ?? '') as readonly { readonly text: string }[];
      const text = said.find((part) => part.text.startsWith('sunny '))?.text ?? '';
      const tried = JSON.parse(text.slice('sunny '.length)) as Record<'start' | 'call', Record<string, string>>;
      for (const { environments, ...attempts } of [tried.start, tried.call]) {
        expect(Object.keys(attempts)).toEqual(['credential', 'keys', 'planted', 'shadow', 'dialled', 'named', 'posted']);
        for (const [what, outcome] of Object.entries(attempts)) expect([what, outcome]).toEqual([what, expect.stringMatching(/^failed /)]);
        // What its own run was given, and nothing of the daemon's.
        expect(environments).toContain('CORDON_RUN_SOCKET=');
        expect(environments).not.toContain(CANARY);
      }
    });

    it('left nothing on the host: no credential at the model, nothing at its author, nothing planted', () => {
      expect(performance.requests.join('\n')).not.toContain(sceneOf().world.secret);
      expect(sceneOf().evil.requests).toEqual([]);
      expect(fs.readdirSync(sceneOf().world.outside)).toEqual([]);
    });

    it('is seen: each time that it called its author is a denial of this run', async () => {
      const target = `${EVIL_HOST}:${sceneOf().evil.port}`;
      const denied = await until('both denials arrive', 30_000, async () => {
        const events = (await sceneOf().events(agent, since, 'kind=egress&verdict=denied')).filter((event) => event.target === target);
        return events.length >= 2 ? events : undefined;
      });
      const started = await sceneOf().events(agent, since, 'kind=run.started');
      expect(started).toHaveLength(1);
      expect(new Set(denied.map(({ run: id }) => id))).toEqual(new Set(started.map(({ run: id }) => id)));
    });
  });
};
