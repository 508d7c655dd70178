/** Agents that run inside somebody else's editor: Copilot, Cline, Roo Code, Kilo Code, Continue, Junie. */
import { EVERY_OS, MCP_GATEWAY, SKILLS, UNIX, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const COPILOT_HOSTS = 'https://docs.github.com/en/copilot/reference/copilot-allowlist-reference';

export const COPILOT_VSCODE = {
  id: 'copilot-vscode',
  name: 'GitHub Copilot in VS Code',
  vendor: 'GitHub',
  kind: 'ide-agent',
  extensions: [
    { ids: ['GitHub.copilot-chat'], ...seen('https://github.com/microsoft/vscode-copilot-chat/blob/HEAD/package.json') },
    { ids: ['GitHub.copilot'], ...unseen('https://marketplace.visualstudio.com/items?itemName=GitHub.copilot') },
  ],
  mcp: [
    { os: ['linux'], paths: ['${home}/.config/Code/User/mcp.json'], ...seen(MCP_GATEWAY) },
    { os: ['macos'], paths: ['${home}/Library/Application Support/Code/User/mcp.json'], ...seen(MCP_GATEWAY) },
    { os: ['windows'], paths: ['${home}\\AppData\\Roaming\\Code\\User\\mcp.json'], ...seen(MCP_GATEWAY) },
    { os: EVERY_OS, paths: ['${workspace}/.vscode/mcp.json'], ...seen(MCP_GATEWAY) },
  ],
  state: [
    {
      os: ['linux'],
      holds: ['cache'],
      paths: ['${home}/.config/Code/User/globalStorage/github.copilot-chat'],
      ...unseen('https://code.visualstudio.com/docs/copilot/overview'),
    },
    {
      os: ['macos'],
      holds: ['cache'],
      paths: ['${home}/Library/Application Support/Code/User/globalStorage/github.copilot-chat'],
      ...unseen('https://code.visualstudio.com/docs/copilot/overview'),
    },
    {
      os: ['windows'],
      holds: ['cache'],
      paths: ['${home}\\AppData\\Roaming\\Code\\User\\globalStorage\\github.copilot-chat'],
      ...unseen('https://code.visualstudio.com/docs/copilot/overview'),
    },
  ],
  hosts: [
    {
      need: 'required',
      hosts: ['github.com', 'api.github.com', '*.githubcopilot.com', 'copilot-proxy.githubusercontent.com'],
      ...seen(COPILOT_HOSTS),
    },
    { need: 'optional', hosts: ['default.exp-tas.com', 'origin-tracker.githubusercontent.com'], ...seen(COPILOT_HOSTS) },
    { need: 'telemetry', hosts: ['copilot-telemetry.githubusercontent.com', 'collector.github.com'], ...seen(COPILOT_HOSTS) },
  ],
} as const satisfies AgentProfile;

export const CLINE = {
  id: 'cline',
  name: 'Cline',
  vendor: 'Cline Bot',
  kind: 'ide-agent',
  packages: [{ ecosystem: 'npm', name: 'cline', ...seen('pkg:npm/cline') }],
  executables: [{ os: EVERY_OS, names: ['cline'], ...unseen('pkg:npm/cline') }],
  extensions: [{ ids: ['saoudrizwan.claude-dev'], ...seen('https://github.com/cline/cline/blob/HEAD/README.md') }],
  mcp: [
    {
      os: ['linux'],
      paths: ['${home}/.config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json'],
      ...seen(MCP_GATEWAY),
    },
    {
      os: ['macos'],
      paths: ['${home}/Library/Application Support/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json'],
      ...seen(MCP_GATEWAY),
    },
    {
      os: ['windows'],
      paths: ['${home}\\AppData\\Roaming\\Code\\User\\globalStorage\\saoudrizwan.claude-dev\\settings\\cline_mcp_settings.json'],
      ...seen(MCP_GATEWAY),
    },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings', 'credentials'], paths: ['${home}/.cline'], ...seen(SKILLS) },
    {
      os: ['linux'],
      holds: ['settings', 'transcripts'],
      paths: ['${home}/.config/Code/User/globalStorage/saoudrizwan.claude-dev'],
      ...seen(MCP_GATEWAY),
    },
    {
      os: ['macos'],
      holds: ['settings', 'transcripts'],
      paths: ['${home}/Library/Application Support/Code/User/globalStorage/saoudrizwan.claude-dev'],
      ...seen(MCP_GATEWAY),
    },
    {
      os: ['windows'],
      holds: ['settings', 'transcripts'],
      paths: ['${home}\\AppData\\Roaming\\Code\\User\\globalStorage\\saoudrizwan.claude-dev'],
      ...seen(MCP_GATEWAY),
    },
  ],
  hosts: [{ need: 'optional', hosts: ['api.cline.bot', 'app.cline.bot'], ...unseen('https://docs.cline.bot/') }],
} as const satisfies AgentProfile;

const ROO_PACKAGE = 'https://github.com/RooCodeInc/Roo-Code/blob/HEAD/src/package.json';

export const ROO_CODE = {
  id: 'roo-code',
  name: 'Roo Code',
  vendor: 'Roo Code',
  kind: 'ide-agent',
  extensions: [{ ids: ['RooVeterinaryInc.roo-cline'], ...seen(ROO_PACKAGE) }],
  mcp: [
    {
      os: ['linux'],
      paths: ['${home}/.config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json'],
      ...unseen('https://docs.roocode.com/features/mcp/using-mcp-in-roo'),
    },
    { os: EVERY_OS, paths: ['${workspace}/.roo/mcp.json'], ...unseen('https://docs.roocode.com/features/mcp/using-mcp-in-roo') },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.roo'], ...seen(SKILLS) },
    {
      os: ['linux'],
      holds: ['settings', 'transcripts'],
      paths: ['${home}/.config/Code/User/globalStorage/rooveterinaryinc.roo-cline'],
      ...unseen(ROO_PACKAGE),
    },
    {
      os: ['macos'],
      holds: ['settings', 'transcripts'],
      paths: ['${home}/Library/Application Support/Code/User/globalStorage/rooveterinaryinc.roo-cline'],
      ...unseen(ROO_PACKAGE),
    },
    {
      os: ['windows'],
      holds: ['settings', 'transcripts'],
      paths: ['${home}\\AppData\\Roaming\\Code\\User\\globalStorage\\rooveterinaryinc.roo-cline'],
      ...unseen(ROO_PACKAGE),
    },
  ],
  hosts: [{ need: 'optional', hosts: ['app.roocode.com', 'api.roocode.com'], ...unseen('https://docs.roocode.com/') }],
} as const satisfies AgentProfile;

const KILO_FILES = 'https://docs.rs/agent-config/0.4.0/src/agent_config/agents/kilocode.rs.html';

export const KILO_CODE = {
  id: 'kilo-code',
  name: 'Kilo Code',
  vendor: 'Kilo',
  kind: 'ide-agent',
  packages: [
    { ecosystem: 'npm', name: '@kilocode/cli', ...seen('https://github.com/TheStreamCode/vscode-kilo-cli-launcher') },
    { ecosystem: 'npm', name: '@kilocode/cli-linux-x64', ...seen('pkg:npm/@kilocode/cli-linux-x64') },
  ],
  executables: [
    {
      os: EVERY_OS,
      names: ['kilo'],
      alsoNamed: 'Kilo, a small text editor',
      ...seen('https://github.com/TheStreamCode/vscode-kilo-cli-launcher'),
    },
  ],
  extensions: [{ ids: ['kilocode.Kilo-Code'], ...unseen('https://marketplace.visualstudio.com/items?itemName=kilocode.Kilo-Code') }],
  mcp: [
    {
      os: EVERY_OS,
      paths: ['${home}/.config/kilo/kilo.jsonc', '${workspace}/kilo.jsonc', '${workspace}/.kilo/kilo.jsonc'],
      ...seen(KILO_FILES),
    },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.kilo', '${home}/.kilocode'], ...seen(SKILLS) },
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.config/kilo'], ...seen(KILO_FILES) },
    { os: UNIX, holds: ['credentials', 'transcripts'], paths: ['${home}/.local/share/kilo'], ...unseen('https://kilo.ai/docs') },
  ],
  hosts: [{ need: 'optional', hosts: ['api.kilo.ai', 'kilo.ai'], ...unseen('https://kilo.ai/docs') }],
} as const satisfies AgentProfile;

export const CONTINUE = {
  id: 'continue',
  name: 'Continue',
  vendor: 'Continue Dev',
  kind: 'ide-agent',
  packages: [
    {
      ecosystem: 'npm',
      name: '@continuedev/cli',
      ...seen('https://github.com/continuedev/continue/blob/HEAD/extensions/cli/package.json'),
    },
  ],
  executables: [
    {
      os: EVERY_OS,
      names: ['cn'],
      alsoNamed: 'other programs of two letters',
      ...seen('https://github.com/continuedev/continue/blob/HEAD/extensions/cli/package.json'),
    },
  ],
  extensions: [{ ids: ['Continue.continue'], ...seen('https://github.com/continuedev/continue/blob/HEAD/extensions/vscode/package.json') }],
  config: [{ os: EVERY_OS, paths: ['${home}/.continue/config.yaml'], ...seen(MCP_GATEWAY) }],
  mcp: [
    { os: EVERY_OS, paths: ['${home}/.continue/config.yaml'], ...seen(MCP_GATEWAY) },
    { os: EVERY_OS, paths: ['${workspace}/.continue/mcpServers'], ...unseen('https://docs.continue.dev/') },
  ],
  state: [{ os: EVERY_OS, holds: ['settings', 'transcripts'], paths: ['${home}/.continue'], ...seen(MCP_GATEWAY) }],
  hosts: [
    { need: 'optional', hosts: ['api.continue.dev'], ...unseen('https://docs.continue.dev/') },
    { need: 'telemetry', hosts: ['us.i.posthog.com'], ...unseen('https://docs.continue.dev/') },
  ],
} as const satisfies AgentProfile;

const JUNIE_FILES = 'https://docs.rs/agent-config/0.3.2/src/agent_config/agents/junie.rs.html';
const JUNIE_INSTALLER = 'https://github.com/jetbrains-junie/junie/blob/HEAD/install-nightly.sh';

export const JETBRAINS_JUNIE = {
  id: 'jetbrains-junie',
  name: 'Junie',
  vendor: 'JetBrains',
  kind: 'ide-agent',
  executables: [
    { os: UNIX, names: ['junie'], ...unseen(JUNIE_INSTALLER) },
    { os: UNIX, names: ['junie-runner'], ...seen('https://github.com/jetbrains-junie/junie/blob/HEAD/README.md') },
  ],
  extensions: [
    { ids: ['org.jetbrains.junie'], ...unseen('https://plugins.jetbrains.com/plugin/26104-junie-the-ai-coding-agent-by-jetbrains') },
  ],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.junie/mcp/mcp.json', '${workspace}/.junie/mcp/mcp.json'], ...seen(JUNIE_FILES) }],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.junie'], ...seen(SKILLS) },
    { os: UNIX, holds: ['program'], paths: ['${home}/.local/share/junie'], ...seen(JUNIE_INSTALLER) },
  ],
  hosts: [
    { need: 'required', hosts: ['ingrazzio-cloud-prod.labs.jb.gg'], ...unseen('https://junie.jetbrains.com/docs/') },
    { need: 'optional', hosts: ['raw.githubusercontent.com', 'junie.jetbrains.com'], ...seen(JUNIE_INSTALLER) },
  ],
} as const satisfies AgentProfile;
