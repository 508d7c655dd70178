/** The terminal agents of Google and GitHub. */
import { CASKS, EVERY_OS, FORMULAE, MCP_GATEWAY, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const GEMINI_STORAGE = 'https://github.com/google-gemini/gemini-cli/blob/HEAD/packages/core/src/config/storage.ts';
const GEMINI_PACKAGE = 'https://github.com/google-gemini/gemini-cli/blob/HEAD/packages/cli/package.json';

export const GEMINI_CLI = {
  id: 'gemini-cli',
  name: 'Gemini CLI',
  vendor: 'Google',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'npm', name: '@google/gemini-cli', ...seen(GEMINI_PACKAGE) },
    { ecosystem: 'homebrew', name: 'gemini-cli', ...seen(`${FORMULAE}/g/gemini-cli.rb`) },
  ],
  executables: [{ os: EVERY_OS, names: ['gemini'], ...seen(GEMINI_PACKAGE) }],
  config: [
    { os: EVERY_OS, paths: ['${home}/.gemini/settings.json', '${workspace}/.gemini/settings.json'], ...seen(GEMINI_STORAGE) },
    { os: ['linux'], paths: ['/etc/gemini-cli/settings.json'], ...seen(GEMINI_STORAGE) },
    { os: ['macos'], paths: ['/Library/Application Support/GeminiCli/settings.json'], ...seen(GEMINI_STORAGE) },
    { os: ['windows'], paths: ['C:\\ProgramData\\gemini-cli\\settings.json'], ...seen(GEMINI_STORAGE) },
  ],
  mcp: [
    { os: EVERY_OS, paths: ['${home}/.gemini/settings.json'], ...seen(MCP_GATEWAY) },
    {
      os: EVERY_OS,
      paths: ['${workspace}/.gemini/settings.json'],
      ...seen('https://docs.augmentcode.com/context-services/mcp/quickstart-gemini-cli'),
    },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.gemini'], ...seen(GEMINI_STORAGE) },
    {
      os: EVERY_OS,
      holds: ['credentials'],
      paths: ['${home}/.gemini/oauth_creds.json', '${home}/.gemini/mcp-oauth-tokens.json'],
      ...seen(GEMINI_STORAGE),
    },
    { os: EVERY_OS, holds: ['transcripts'], paths: ['${home}/.gemini/tmp', '${home}/.gemini/history'], ...seen(GEMINI_STORAGE) },
  ],
  hosts: [
    {
      need: 'required',
      hosts: ['generativelanguage.googleapis.com'],
      ...seen('https://github.com/github/gh-aw/blob/HEAD/pkg/workflow/data/ecosystem_domains.json'),
    },
    {
      need: 'optional',
      hosts: ['*.googleapis.com'],
      ...seen('https://github.com/github/gh-aw/blob/HEAD/pkg/workflow/data/ecosystem_domains.json'),
    },
    { need: 'telemetry', hosts: ['play.googleapis.com'], ...unseen('https://github.com/google-gemini/gemini-cli') },
  ],
} as const satisfies AgentProfile;

const COPILOT_README = 'https://github.com/github/copilot-cli/blob/HEAD/README.md';
const COPILOT_FOLDER = 'https://docs.github.com/en/copilot/reference/copilot-cli-reference/cli-config-dir-reference';
const COPILOT_HOSTS = 'https://docs.github.com/en/copilot/reference/copilot-allowlist-reference';

export const GITHUB_COPILOT_CLI = {
  id: 'github-copilot-cli',
  name: 'GitHub Copilot CLI',
  vendor: 'GitHub',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'npm', name: '@github/copilot', ...seen(COPILOT_README) },
    { ecosystem: 'npm', name: '@github/copilot-linux-x64', ...seen('pkg:npm/@github/copilot-linux-x64') },
    { ecosystem: 'npm', name: '@github/copilot-linux-arm64', ...seen('pkg:npm/@github/copilot-linux-arm64') },
    { ecosystem: 'npm', name: '@github/copilot-darwin-x64', ...seen('pkg:npm/@github/copilot-darwin-x64') },
    { ecosystem: 'npm', name: '@github/copilot-darwin-arm64', ...seen('pkg:npm/@github/copilot-darwin-arm64') },
    { ecosystem: 'npm', name: '@github/copilot-win32-x64', ...seen('pkg:npm/@github/copilot-win32-x64') },
    { ecosystem: 'npm', name: '@github/copilot-win32-arm64', ...seen('pkg:npm/@github/copilot-win32-arm64') },
    { ecosystem: 'homebrew-cask', name: 'copilot-cli', ...seen(`${CASKS}/c/copilot-cli.rb`) },
    { ecosystem: 'winget', name: 'GitHub.Copilot', ...seen(COPILOT_README) },
  ],
  executables: [{ os: EVERY_OS, names: ['copilot'], alsoNamed: 'AWS Copilot, a deployment tool', ...seen(COPILOT_README) }],
  config: [
    {
      os: EVERY_OS,
      paths: ['${home}/.copilot/settings.json', '${home}/.copilot/lsp-config.json', '${workspace}/.github/copilot/settings.json'],
      ...seen(COPILOT_FOLDER),
    },
  ],
  mcp: [
    {
      os: EVERY_OS,
      paths: ['${home}/.copilot/mcp-config.json', '${workspace}/.mcp.json', '${workspace}/.github/mcp.json'],
      ...seen(COPILOT_FOLDER),
    },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.copilot'], ...seen(COPILOT_FOLDER) },
    {
      os: EVERY_OS,
      holds: ['credentials'],
      paths: ['${home}/.copilot/config.json', '${home}/.copilot/mcp-secrets', '${home}/.copilot/mcp-oauth-config'],
      ...seen(COPILOT_FOLDER),
    },
    {
      os: EVERY_OS,
      holds: ['transcripts'],
      paths: ['${home}/.copilot/session-state', '${home}/.copilot/session-store.db', '${home}/.copilot/logs'],
      ...seen(COPILOT_FOLDER),
    },
  ],
  hosts: [
    { need: 'required', hosts: ['github.com', 'api.github.com', '*.githubcopilot.com'], ...seen(COPILOT_HOSTS) },
    { need: 'optional', hosts: ['default.exp-tas.com', 'origin-tracker.githubusercontent.com'], ...seen(COPILOT_HOSTS) },
    { need: 'telemetry', hosts: ['copilot-telemetry.githubusercontent.com', 'collector.github.com'], ...seen(COPILOT_HOSTS) },
  ],
} as const satisfies AgentProfile;
