/** The agents that are tried, as a person has set them up: their own settings in their own home, and no confirmation asked, so that only containment holds them. */
import { installClaudeCode, installCodex } from './install.ts';

export interface Setting {
  /** Folder that the agent works in. */
  readonly workspace: string;
  /** Address of the model. */
  readonly model: string;
  /** MCP servers by name, each with its argv. */
  readonly mcp: Readonly<Record<string, readonly [command: string, ...args: string[]]>>;
}

export interface AgentUnderTest {
  /** As `--agent` names it. */
  readonly id: string;
  readonly program: string;
  /** @returns path of its program, unmodified */
  install(): string;
  readonly environment: (setting: Setting) => Readonly<Record<string, string>>;
  /** Its settings by path below its home. */
  readonly settings: (setting: Setting) => Readonly<Record<string, string>>;
  /** Arguments to do one task and end, and to work with a person at a terminal. */
  readonly headless: (task: string) => readonly string[];
  readonly interactive: readonly string[];
  /** What stands on its screen when it waits for a person. */
  readonly prompt: string;
  /** What a person types to leave. */
  readonly leave: string;
}

const KEY = 'no-key-is-needed-by-a-scripted-model';

const claudeCode: AgentUnderTest = {
  id: 'claude-code',
  program: 'claude',
  install: installClaudeCode,
  environment: ({ model }) => ({
    ANTHROPIC_BASE_URL: model,
    ANTHROPIC_API_KEY: KEY,
    DISABLE_AUTOUPDATER: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  }),
  settings: ({ workspace, mcp }) => ({
    '.claude.json': JSON.stringify({
      hasCompletedOnboarding: true,
      theme: 'dark',
      bypassPermissionsModeAccepted: true,
      customApiKeyResponses: { approved: [KEY.slice(-20)], rejected: [] },
      projects: { [workspace]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } },
      mcpServers: Object.fromEntries(Object.entries(mcp).map(([name, [command, ...args]]) => [name, { type: 'stdio', command, args }])),
    }),
    '.claude/settings.json': JSON.stringify({ skipDangerousModePermissionPrompt: true }),
  }),
  headless: (task) => ['-p', task, '--permission-mode', 'bypassPermissions'],
  interactive: ['--permission-mode', 'bypassPermissions'],
  prompt: 'bypass permissions on',
  leave: '/exit',
};

/** Its own sandbox is off: it would be a second one inside, and namespaces are what a run cannot make. What it starts is held by Cordon. */
const codex: AgentUnderTest = {
  id: 'codex',
  program: 'codex',
  install: installCodex,
  environment: () => ({}),
  settings: ({ workspace, model, mcp }) => ({
    '.codex/config.toml': [
      'model = "scripted"',
      'model_provider = "scripted"',
      'approval_policy = "never"',
      'sandbox_mode = "danger-full-access"',
      'check_for_update_on_startup = false',
      '[model_providers.scripted]',
      'name = "scripted"',
      `base_url = "${model}/v1"`,
      'wire_api = "responses"',
      'requires_openai_auth = false',
      `[projects.${JSON.stringify(workspace)}]`,
      'trust_level = "trusted"',
      ...Object.entries(mcp).flatMap(([name, [command, ...args]]) => [
        `[mcp_servers.${name}]`,
        `command = ${JSON.stringify(command)}`,
        `args = ${JSON.stringify(args)}`,
      ]),
      '',
    ].join('\n'),
  }),
  headless: (task) => ['exec', '--skip-git-repo-check', task],
  interactive: ['--no-daemon'],
  prompt: 'Ask Codex to do anything',
  leave: '/quit',
};

export const AGENTS: readonly AgentUnderTest[] = [claudeCode, codex];
