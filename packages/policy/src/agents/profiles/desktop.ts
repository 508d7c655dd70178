/** Desktop assistants, and browsers with an agent inside. */
import { CASKS, EVERY_OS, MCP_GATEWAY, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const CLAUDE_CASK = `${CASKS}/c/claude.rb` as const;

export const CLAUDE_DESKTOP = {
  id: 'claude-desktop',
  name: 'Claude Desktop',
  vendor: 'Anthropic',
  kind: 'desktop-assistant',
  packages: [{ ecosystem: 'homebrew-cask', name: 'claude', ...seen(CLAUDE_CASK) }],
  bundleIds: [{ ids: ['com.anthropic.claudefordesktop'], ...seen(CLAUDE_CASK) }],
  processes: [{ os: ['macos', 'windows'], names: ['Claude'], ...unseen(CLAUDE_CASK) }],
  config: [
    { os: ['macos'], paths: ['${home}/Library/Application Support/Claude/claude_desktop_config.json'], ...seen(MCP_GATEWAY) },
    { os: ['windows'], paths: ['${home}\\AppData\\Roaming\\Claude\\claude_desktop_config.json'], ...seen(MCP_GATEWAY) },
  ],
  mcp: [
    { os: ['macos'], paths: ['${home}/Library/Application Support/Claude/claude_desktop_config.json'], ...seen(MCP_GATEWAY) },
    { os: ['windows'], paths: ['${home}\\AppData\\Roaming\\Claude\\claude_desktop_config.json'], ...seen(MCP_GATEWAY) },
  ],
  state: [
    {
      os: ['macos'],
      holds: ['settings', 'credentials'],
      paths: ['${home}/Library/Application Support/Claude', '${home}/Library/Logs/Claude'],
      ...seen(CLAUDE_CASK),
    },
    { os: ['windows'], holds: ['settings', 'credentials'], paths: ['${home}\\AppData\\Roaming\\Claude'], ...seen(MCP_GATEWAY) },
  ],
  hosts: [
    { need: 'required', hosts: ['claude.ai', 'api.anthropic.com'], ...unseen('https://support.claude.com/') },
    { need: 'optional', hosts: ['downloads.claude.ai'], ...seen(CLAUDE_CASK) },
  ],
} as const satisfies AgentProfile;

const CHATGPT_CASK = `${CASKS}/c/chatgpt.rb` as const;

/** OpenAI's Codex app and today's ChatGPT app have one bundle id; the ChatGPT app before had its own. */
export const CHATGPT_DESKTOP = {
  id: 'chatgpt-desktop',
  name: 'ChatGPT Desktop',
  vendor: 'OpenAI',
  kind: 'desktop-assistant',
  packages: [
    { ecosystem: 'homebrew-cask', name: 'chatgpt', ...seen(CHATGPT_CASK) },
    { ecosystem: 'homebrew-cask', name: 'codex-app', ...seen(`${CASKS}/c/codex-app.rb`) },
  ],
  bundleIds: [
    { ids: ['com.openai.codex'], ...seen(CHATGPT_CASK) },
    { ids: ['com.openai.chat'], ...unseen(CHATGPT_CASK) },
  ],
  processes: [{ os: ['macos', 'windows'], names: ['ChatGPT'], ...unseen(CHATGPT_CASK) }],
  mcp: [{ os: ['macos'], paths: ['${home}/.codex/config.toml'], ...seen('https://www.mcpbundles.com/guides/codex') }],
  state: [
    {
      os: ['macos'],
      holds: ['settings', 'credentials'],
      paths: ['${home}/Library/Application Support/Codex', '${home}/Library/Caches/com.openai.codex'],
      ...seen(CHATGPT_CASK),
    },
    { os: ['macos'], holds: ['settings'], paths: ['${home}/Library/Application Support/OpenAI/Codex'], ...seen(`${CASKS}/c/codex-app.rb`) },
    { os: ['macos'], holds: ['settings'], paths: ['${home}/Library/Application Support/com.openai.chat'], ...unseen(CHATGPT_CASK) },
  ],
  hosts: [
    { need: 'required', hosts: ['chatgpt.com', 'auth.openai.com'], ...unseen('https://help.openai.com/') },
    { need: 'optional', hosts: ['persistent.oaistatic.com'], ...seen(CHATGPT_CASK) },
  ],
} as const satisfies AgentProfile;

const MANUS_CASK = `${CASKS}/m/manus.rb` as const;

export const MANUS = {
  id: 'manus',
  name: 'Manus',
  vendor: 'Manus',
  kind: 'desktop-assistant',
  packages: [{ ecosystem: 'homebrew-cask', name: 'manus', ...seen(MANUS_CASK) }],
  bundleIds: [{ ids: ['im.manus.desktop'], ...seen(MANUS_CASK) }],
  processes: [{ os: ['macos', 'windows'], names: ['Manus'], ...unseen(MANUS_CASK) }],
  state: [
    {
      os: ['macos'],
      holds: ['settings', 'credentials', 'cache'],
      paths: ['${home}/Library/Application Support/Manus', '${home}/Library/Logs/Manus'],
      ...seen(MANUS_CASK),
    },
    {
      os: ['windows'],
      holds: ['settings', 'credentials'],
      paths: ['${home}\\AppData\\Roaming\\Manus'],
      ...unseen('https://manus.im/desktop'),
    },
  ],
  hosts: [
    { need: 'required', hosts: ['manus.im', 'api.manus.im'], ...unseen('https://manus.im/desktop') },
    { need: 'optional', hosts: ['download.manus.im'], ...seen(MANUS_CASK) },
  ],
} as const satisfies AgentProfile;

const ATLAS_CASK = `${CASKS}/c/chatgpt-atlas.rb` as const;

export const CHATGPT_ATLAS = {
  id: 'chatgpt-atlas',
  name: 'ChatGPT Atlas',
  vendor: 'OpenAI',
  kind: 'browser-agent',
  packages: [{ ecosystem: 'homebrew-cask', name: 'chatgpt-atlas', ...seen(ATLAS_CASK) }],
  bundleIds: [{ ids: ['com.openai.atlas'], ...seen(ATLAS_CASK) }],
  state: [
    {
      os: ['macos'],
      holds: ['settings', 'credentials', 'cache'],
      paths: ['${home}/Library/Application Support/com.openai.atlas', '${home}/Library/Application Support/OpenAI/ChatGPT Atlas'],
      ...seen(ATLAS_CASK),
    },
  ],
  hosts: [
    { need: 'required', hosts: ['chatgpt.com'], ...unseen('https://chatgpt.com/atlas') },
    { need: 'optional', hosts: ['persistent.oaistatic.com'], ...seen(ATLAS_CASK) },
  ],
} as const satisfies AgentProfile;

const COMET_CASK = `${CASKS}/c/comet.rb` as const;

export const COMET = {
  id: 'comet',
  name: 'Comet',
  vendor: 'Perplexity',
  kind: 'browser-agent',
  packages: [{ ecosystem: 'homebrew-cask', name: 'comet', ...seen(COMET_CASK) }],
  bundleIds: [{ ids: ['ai.perplexity.comet'], ...seen(COMET_CASK) }],
  processes: [{ os: ['macos', 'windows'], names: ['Comet'], ...unseen(COMET_CASK) }],
  state: [
    {
      os: ['macos'],
      holds: ['settings', 'credentials'],
      paths: ['${home}/Library/Application Support/ai.perplexity.comet'],
      ...seen(COMET_CASK),
    },
  ],
  hosts: [{ need: 'required', hosts: ['www.perplexity.ai'], ...seen(COMET_CASK) }],
} as const satisfies AgentProfile;

const BROWSER_USE_PROJECT = 'https://github.com/browser-use/browser-use/blob/HEAD/pyproject.toml';
const BROWSER_USE_CONFIG = 'https://github.com/browser-use/browser-use/blob/HEAD/browser_use/config.py';

export const BROWSER_USE = {
  id: 'browser-use',
  name: 'Browser Use',
  vendor: 'Browser Use',
  kind: 'browser-agent',
  packages: [{ ecosystem: 'pypi', name: 'browser-use', module: 'browser_use', ...seen(BROWSER_USE_PROJECT) }],
  executables: [
    { os: EVERY_OS, names: ['browser-use', 'browseruse', 'browser-use-tui'], ...seen(BROWSER_USE_PROJECT) },
    { os: EVERY_OS, names: ['browser', 'bu'], alsoNamed: 'anything that opens a browser', ...seen(BROWSER_USE_PROJECT) },
  ],
  config: [{ os: EVERY_OS, paths: ['${home}/.config/browseruse/config.json'], ...seen(BROWSER_USE_CONFIG) }],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.config/browseruse'], ...seen(BROWSER_USE_CONFIG) },
    { os: EVERY_OS, holds: ['credentials'], paths: ['${home}/.config/browseruse/profiles'], ...seen(BROWSER_USE_CONFIG) },
  ],
  hosts: [
    { need: 'optional', hosts: ['api.browser-use.com'], ...seen(BROWSER_USE_CONFIG) },
    { need: 'telemetry', hosts: ['eu.i.posthog.com'], ...unseen('https://docs.browser-use.com/development/monitoring/telemetry') },
  ],
} as const satisfies AgentProfile;
