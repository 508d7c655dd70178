/** The terminal agents of Anthropic and OpenAI. */
import { CASKS, EVERY_OS, MCP_GATEWAY, OPENSHELL, UNIX, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const CLAUDE_README = 'https://github.com/anthropics/claude-code/blob/HEAD/README.md';
const CLAUDE_SETTINGS = 'https://code.claude.com/docs/en/settings';
const CLAUDE_NPM = 'pkg:npm/@anthropic-ai/claude-code';

export const CLAUDE_CODE = {
  id: 'claude-code',
  name: 'Claude Code',
  vendor: 'Anthropic',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'npm', name: '@anthropic-ai/claude-code', ...seen(CLAUDE_README) },
    { ecosystem: 'npm', name: '@anthropic-ai/claude-code-linux-x64', ...seen(CLAUDE_NPM) },
    { ecosystem: 'npm', name: '@anthropic-ai/claude-code-linux-arm64', ...seen(CLAUDE_NPM) },
    { ecosystem: 'npm', name: '@anthropic-ai/claude-code-linux-x64-musl', ...seen(CLAUDE_NPM) },
    { ecosystem: 'npm', name: '@anthropic-ai/claude-code-linux-arm64-musl', ...seen(CLAUDE_NPM) },
    { ecosystem: 'npm', name: '@anthropic-ai/claude-code-darwin-x64', ...seen(CLAUDE_NPM) },
    { ecosystem: 'npm', name: '@anthropic-ai/claude-code-darwin-arm64', ...seen(CLAUDE_NPM) },
    { ecosystem: 'npm', name: '@anthropic-ai/claude-code-win32-x64', ...seen(CLAUDE_NPM) },
    { ecosystem: 'npm', name: '@anthropic-ai/claude-code-win32-arm64', ...seen(CLAUDE_NPM) },
    { ecosystem: 'homebrew-cask', name: 'claude-code', ...seen(CLAUDE_README) },
    { ecosystem: 'winget', name: 'Anthropic.ClaudeCode', ...seen(CLAUDE_README) },
  ],
  executables: [{ os: EVERY_OS, names: ['claude'], ...seen(CLAUDE_README) }],
  extensions: [{ ids: ['anthropic.claude-code'], ...unseen('https://marketplace.visualstudio.com/items?itemName=anthropic.claude-code') }],
  config: [
    { os: EVERY_OS, paths: ['${home}/.claude/settings.json', '${workspace}/.claude/settings.local.json'], ...seen(CLAUDE_SETTINGS) },
    { os: EVERY_OS, paths: ['${workspace}/.claude/settings.json'], ...seen('https://code.claude.com/docs/de/settings') },
    { os: ['linux'], paths: ['/etc/claude-code/managed-settings.json'], ...seen('https://code.claude.com/docs/de/settings') },
    {
      os: ['macos'],
      paths: ['/Library/Application Support/ClaudeCode/managed-settings.json'],
      ...seen('https://code.claude.com/docs/de/settings'),
    },
    { os: ['windows'], paths: ['C:\\ProgramData\\ClaudeCode\\managed-settings.json'], ...seen('https://code.claude.com/docs/de/settings') },
    { os: ['windows'], paths: ['C:\\Program Files\\ClaudeCode\\managed-settings.json'], ...unseen(CLAUDE_SETTINGS) },
  ],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.claude.json', '${workspace}/.mcp.json'], ...seen(MCP_GATEWAY) }],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.claude', '${home}/.claude.json'], ...seen(MCP_GATEWAY) },
    { os: UNIX, holds: ['cache'], paths: ['${home}/.cache/claude', '${home}/.local/state/claude'], ...seen(`${CASKS}/c/claude-code.rb`) },
    {
      os: UNIX,
      holds: ['program'],
      paths: ['${home}/.local/bin/claude', '${home}/.local/share/claude'],
      ...seen(`${CASKS}/c/claude-code.rb`),
    },
    { os: EVERY_OS, holds: ['credentials'], paths: ['${home}/.claude/.credentials.json'], ...unseen(CLAUDE_SETTINGS) },
    { os: EVERY_OS, holds: ['transcripts'], paths: ['${home}/.claude/projects'], ...unseen(CLAUDE_SETTINGS) },
  ],
  hosts: [
    { need: 'required', hosts: ['api.anthropic.com'], ...seen(`${OPENSHELL}/claude-code.yaml`) },
    {
      need: 'optional',
      hosts: ['claude.ai', 'platform.claude.com', 'downloads.claude.ai'],
      ...unseen('https://code.claude.com/docs/en/network-config'),
    },
    { need: 'telemetry', hosts: ['statsig.anthropic.com', 'sentry.io'], ...seen(`${OPENSHELL}/claude-code.yaml`) },
  ],
} as const satisfies AgentProfile;

export const CODEX = {
  id: 'codex',
  name: 'Codex CLI',
  vendor: 'OpenAI',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'npm', name: '@openai/codex', ...seen('https://github.com/openai/codex/blob/HEAD/codex-cli/package.json') },
    { ecosystem: 'npm', name: '@openai/codex-linux-x64', ...unseen('pkg:npm/@openai/codex') },
    { ecosystem: 'npm', name: '@openai/codex-linux-arm64', ...unseen('pkg:npm/@openai/codex') },
    { ecosystem: 'homebrew-cask', name: 'codex', ...seen(`${CASKS}/c/codex.rb`) },
  ],
  executables: [{ os: EVERY_OS, names: ['codex'], ...seen('https://github.com/openai/codex/blob/HEAD/codex-cli/package.json') }],
  extensions: [{ ids: ['openai.chatgpt'], ...unseen('https://marketplace.visualstudio.com/items?itemName=openai.chatgpt') }],
  config: [
    { os: EVERY_OS, paths: ['${home}/.codex/config.toml'], ...seen('https://developers.openai.com/codex/config-reference/') },
    {
      os: EVERY_OS,
      paths: ['${workspace}/.codex/config.toml'],
      ...seen('https://www.developersdigest.tech/mcp-servers/clients/openai-codex-cli'),
    },
  ],
  mcp: [
    { os: EVERY_OS, paths: ['${home}/.codex/config.toml'], ...seen('https://github.com/openai/codex/blob/HEAD/docs/config.md') },
    {
      os: EVERY_OS,
      paths: ['${workspace}/.codex/config.toml'],
      ...seen('https://www.developersdigest.tech/mcp-servers/clients/openai-codex-cli'),
    },
  ],
  state: [
    {
      os: EVERY_OS,
      holds: ['settings'],
      paths: ['${home}/.codex'],
      ...seen('https://github.com/openai/codex/blob/HEAD/codex-rs/utils/home-dir/src/lib.rs'),
    },
    {
      os: EVERY_OS,
      holds: ['credentials'],
      paths: ['${home}/.codex/auth.json'],
      ...seen('https://github.com/openai/codex/blob/HEAD/docs/authentication.md'),
    },
    {
      os: EVERY_OS,
      holds: ['transcripts'],
      paths: ['${home}/.codex/sessions'],
      ...unseen('https://developers.openai.com/codex/config-reference/'),
    },
  ],
  hosts: [
    { need: 'required', hosts: ['api.openai.com', 'chatgpt.com', 'auth.openai.com'], ...seen(`${OPENSHELL}/codex.yaml`) },
    { need: 'telemetry', hosts: ['ab.chatgpt.com'], ...seen(`${OPENSHELL}/codex.yaml`) },
  ],
} as const satisfies AgentProfile;
