/** An installation with one device, where agents run under the policy of the demonstration. The model and the site that nobody may reach are in this process. */
import fs from 'node:fs';
import path from 'node:path';
import { createApi, until, type Api } from '../../infra/quickstart/api.ts';
import { publishApproved } from '../../infra/quickstart/approve.ts';
import { policyYaml } from '../../infra/quickstart/policy.ts';
import { startControlPlane, startEndpoint, type ControlPlane, type Endpoint, type Outcome } from '../../infra/quickstart/services.ts';
import { tail } from '../../infra/quickstart/supervise.ts';
import { createSite, createWorld, type Site, type World } from '../../infra/quickstart/world.ts';
import { sitDown, type Person } from '../../apps/endpoint-agent/tests/_terminal.ts';
import { AGENTS, type AgentUnderTest, type Setting } from './agents.ts';
import { startScriptedModel, type ScriptedModel } from './scripted-model.ts';

const MODEL_HOST = 'model.cordon.test';
export const EVIL_HOST = 'exfiltrate.cordon.test';
export const CANARY = 'canary-of-the-daemon';

export interface StoredEvent {
  readonly at: string;
  readonly kind: string;
  readonly agent: string | null;
  readonly run: string | null;
  readonly verdict: string | null;
  readonly target: string | null;
}

export interface Scene {
  readonly world: World;
  readonly endpoint: Endpoint;
  readonly model: ScriptedModel;
  readonly evil: Site;
  readonly asUser: readonly string[];
  /** A folder of its own for one run, in which it may write. */
  workspace(name: string): string;
  /** Runs an agent on one task, to its end. */
  headless(agent: AgentUnderTest, workspace: string, mcp?: Setting['mcp']): Promise<Outcome>;
  /** A person at a terminal starts an agent there. */
  interactive(agent: AgentUnderTest, workspace: string): Promise<Person>;
  /** Events of an agent's runs since then that have arrived at the control plane, newest first. @param query of the API */
  events(agent: AgentUnderTest, since: Date, query: string): Promise<readonly StoredEvent[]>;
  close(): Promise<void>;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A shell script in the workspace that gives an agent a fresh home with its settings, and becomes the agent. */
const startScript = (agent: AgentUnderTest, setting: Setting, tools: string, args: readonly string[]): string =>
  [
    'export HOME=/tmp/home SHELL=/bin/bash',
    ...Object.entries(agent.environment(setting)).map(([name, value]) => `export ${name}=${quoted(value)}`),
    ...Object.entries(agent.settings(setting)).flatMap(([file, text]) => [
      `mkdir -p "$HOME/${path.dirname(file)}"`,
      `printf %s ${quoted(text)} > "$HOME/${file}"`,
    ]),
    `exec ${quoted(path.join(tools, agent.program))} ${args.map(quoted).join(' ')}`,
    '',
  ].join('\n');

const contained = async (
  world: World,
  plane: ControlPlane,
  model: ScriptedModel,
): Promise<{ readonly token: string; readonly api: Api }> => {
  const api = createApi(plane.adminUrl, plane.token);
  const group = await api.post<{ id: string }>('/groups', { name: 'developers', membership: 'open' });
  const enrollment = await api.post<{ token: string }>('/enrollment-tokens', { name: 'agents', groupId: group.id });
  const policy = await api.post<{ id: string }>('/policies', { yaml: policyYaml(world, [{ host: MODEL_HOST, port: model.port }]) });
  await api.post('/assignments', { policyId: policy.id, groupId: group.id, mode: 'include' });
  await publishApproved(plane, api, 'contain agents');
  return { token: enrollment.token, api };
};

export const startScene = async (): Promise<Scene> => {
  const world = createWorld('planted-credential-of-the-developer');
  const undo: (() => unknown)[] = [() => fs.rmSync(world.root, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    for (const { program, install } of AGENTS) {
      fs.copyFileSync(install(), path.join(world.tools, program), fs.constants.COPYFILE_FICLONE);
      fs.chmodSync(path.join(world.tools, program), 0o755);
    }
    const evil = await createSite('thank you\n');
    undo.push(() => evil.close());
    const model = await startScriptedModel();
    undo.push(() => model.close());
    const plane = await startControlPlane(world);
    undo.push(() => plane.service.stop());
    const { token, api } = await contained(world, plane, model);
    const hosts = { [MODEL_HOST]: '127.0.0.1', [EVIL_HOST]: '127.0.0.1' };
    const endpoint = await startEndpoint(world, plane.deviceUrl, token, hosts, CANARY);
    undo.push(() => endpoint.service.stop());
    const asUser = process.getuid?.() === 0 ? ['--user', world.account.name] : [];
    await until('the policy is enforced', 60_000, async () => {
      const { status, stdout, stderr } = await endpoint.cordon(['why', world.workspace, ...asUser]);
      if (status !== 0)
        throw new Error(
          `cordon why ended with ${String(status)}: ${stdout}${stderr}\nThe daemon said:\n${tail(endpoint.log)}\nThe control plane said:\n${tail(plane.log)}`,
        );
      return true;
    });
    const prepare = (agent: AgentUnderTest, workspace: string, args: readonly string[], mcp: Setting['mcp']): string[] => {
      const setting = { workspace, model: `http://${MODEL_HOST}:${model.port}`, mcp };
      fs.writeFileSync(path.join(workspace, 'start.sh'), startScript(agent, setting, world.tools, args));
      return ['run', '--agent', agent.id, ...asUser, '--', 'sh', 'start.sh'];
    };
    return {
      world,
      endpoint,
      model,
      evil,
      asUser,
      workspace: (name) => {
        const place = path.join(world.root, 'workspaces', name);
        fs.mkdirSync(place, { recursive: true, mode: 0o755 });
        fs.chownSync(place, world.account.uid, world.account.gid);
        return place;
      },
      // The model and the site live in this process, so the agent must run beside it.
      headless: (agent, workspace, mcp = {}) =>
        endpoint.cordon(prepare(agent, workspace, agent.headless('do the task'), mcp), { cwd: workspace }),
      interactive: (agent, workspace) =>
        sitDown([...endpoint.command, ...prepare(agent, workspace, agent.interactive, {})], {
          cwd: workspace,
          env: { ...endpoint.env, TERM: 'xterm-256color' },
        }),
      events: async (agent, since, query) => {
        const { items } = await api.get<{ items: StoredEvent[] }>(`/telemetry/events?${query}&limit=100`);
        return items.filter((event) => event.agent === agent.id && new Date(event.at) >= since);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
