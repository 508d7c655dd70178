/** Editors with an agent inside: Cursor, Windsurf, Zed, Antigravity, Trae. */
import { AGENT_SCAN, CASKS, EVERY_OS, MCP_GATEWAY, OPENSHELL, SKILLS, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const CURSOR_CASK = `${CASKS}/c/cursor.rb` as const;

export const CURSOR = {
  id: 'cursor',
  name: 'Cursor',
  vendor: 'Anysphere',
  kind: 'ide-agent',
  packages: [{ ecosystem: 'homebrew-cask', name: 'cursor', ...seen(CURSOR_CASK) }],
  executables: [
    { os: ['macos'], names: ['cursor'], ...seen(CURSOR_CASK) },
    { os: ['linux', 'windows'], names: ['cursor'], ...unseen('https://cursor.com/docs') },
  ],
  bundleIds: [{ ids: ['com.todesktop.230313mzl4w4u92'], ...unseen(CURSOR_CASK) }],
  processes: [{ os: ['macos', 'windows'], names: ['Cursor'], ...unseen(CURSOR_CASK) }],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.cursor/mcp.json', '${workspace}/.cursor/mcp.json'], ...seen(MCP_GATEWAY) }],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.cursor'], ...seen(AGENT_SCAN) },
    {
      os: ['macos'],
      holds: ['settings', 'credentials', 'transcripts'],
      paths: ['${home}/Library/Application Support/Cursor'],
      ...seen(CURSOR_CASK),
    },
    { os: ['linux'], holds: ['settings', 'credentials', 'transcripts'], paths: ['${home}/.config/Cursor'], ...seen(MCP_GATEWAY) },
    {
      os: ['windows'],
      holds: ['settings', 'credentials', 'transcripts'],
      paths: ['${home}\\AppData\\Roaming\\Cursor'],
      ...seen(MCP_GATEWAY),
    },
  ],
  hosts: [
    { need: 'required', hosts: ['api2.cursor.sh', 'repo.cursor.sh'], ...seen(`${OPENSHELL}/cursor.yaml`) },
    { need: 'required', hosts: ['*.cursor.sh'], ...unseen('https://cursor.com/docs/enterprise/network-configuration.md') },
    { need: 'optional', hosts: ['download.cursor.sh', 'cursor.blob.core.windows.net'], ...seen(`${OPENSHELL}/cursor.yaml`) },
    { need: 'optional', hosts: ['downloads.cursor.com'], ...seen(CURSOR_CASK) },
  ],
} as const satisfies AgentProfile;

const WINDSURF_CASK = `${CASKS}/w/windsurf.rb` as const;

export const WINDSURF = {
  id: 'windsurf',
  name: 'Windsurf',
  vendor: 'Cognition',
  kind: 'ide-agent',
  packages: [{ ecosystem: 'homebrew-cask', name: 'windsurf', ...seen(WINDSURF_CASK) }],
  executables: [
    { os: ['macos'], names: ['windsurf'], ...seen(WINDSURF_CASK) },
    { os: ['linux', 'windows'], names: ['windsurf'], ...unseen('https://docs.windsurf.com/') },
  ],
  bundleIds: [{ ids: ['com.exafunction.windsurf'], ...seen(WINDSURF_CASK) }],
  processes: [{ os: ['macos', 'windows'], names: ['Windsurf'], ...unseen(WINDSURF_CASK) }],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.codeium/windsurf/mcp_config.json'], ...seen(AGENT_SCAN) }],
  state: [
    { os: EVERY_OS, holds: ['settings', 'transcripts'], paths: ['${home}/.codeium/windsurf'], ...seen(SKILLS) },
    {
      os: ['macos'],
      holds: ['settings'],
      paths: ['${home}/.windsurf', '${home}/Library/Application Support/Windsurf'],
      ...seen(WINDSURF_CASK),
    },
    {
      os: ['linux'],
      holds: ['settings'],
      paths: ['${home}/.windsurf', '${home}/.config/Windsurf'],
      ...unseen('https://docs.windsurf.com/'),
    },
    {
      os: ['windows'],
      holds: ['settings'],
      paths: ['${home}\\.windsurf', '${home}\\AppData\\Roaming\\Windsurf'],
      ...unseen('https://docs.windsurf.com/'),
    },
  ],
  hosts: [
    { need: 'required', hosts: ['server.codeium.com', 'inference.codeium.com'], ...unseen('https://docs.windsurf.com/') },
    { need: 'optional', hosts: ['windsurf-stable.codeium.com', 'windsurf-stable.codeiumdata.com'], ...seen(WINDSURF_CASK) },
  ],
} as const satisfies AgentProfile;

const ZED_PATHS = 'https://github.com/zed-industries/zed/blob/HEAD/crates/paths/src/paths.rs';
const ZED_CASK = `${CASKS}/z/zed.rb` as const;

export const ZED_AGENT = {
  id: 'zed-agent',
  name: 'Zed Agent',
  vendor: 'Zed Industries',
  kind: 'ide-agent',
  packages: [{ ecosystem: 'homebrew-cask', name: 'zed', ...seen(ZED_CASK) }],
  executables: [
    { os: ['macos'], names: ['zed'], ...seen(ZED_CASK) },
    { os: ['linux'], names: ['zed'], alsoNamed: 'the event daemon of ZFS', ...unseen('https://zed.dev/docs/linux') },
    { os: ['linux'], names: ['zeditor', 'zed-editor'], ...unseen('https://zed.dev/docs/linux') },
  ],
  bundleIds: [{ ids: ['dev.zed.Zed'], ...seen(ZED_CASK) }],
  config: [
    { os: ['linux', 'macos'], paths: ['${home}/.config/zed/settings.json', '${workspace}/.zed/settings.json'], ...seen(ZED_PATHS) },
    { os: ['windows'], paths: ['${home}\\AppData\\Roaming\\Zed\\settings.json', '${workspace}\\.zed\\settings.json'], ...seen(ZED_PATHS) },
  ],
  mcp: [
    { os: ['linux', 'macos'], paths: ['${home}/.config/zed/settings.json'], ...seen(MCP_GATEWAY) },
    { os: ['windows'], paths: ['${home}\\AppData\\Roaming\\Zed\\settings.json'], ...unseen(ZED_PATHS) },
  ],
  state: [
    { os: ['linux', 'macos'], holds: ['settings'], paths: ['${home}/.config/zed'], ...seen(ZED_PATHS) },
    { os: ['linux'], holds: ['transcripts', 'cache'], paths: ['${home}/.local/share/zed', '${home}/.cache/zed'], ...seen(ZED_PATHS) },
    {
      os: ['macos'],
      holds: ['transcripts', 'cache'],
      paths: ['${home}/Library/Application Support/Zed', '${home}/Library/Logs/Zed'],
      ...seen(ZED_PATHS),
    },
    {
      os: ['windows'],
      holds: ['settings', 'transcripts'],
      paths: ['${home}\\AppData\\Roaming\\Zed', '${home}\\AppData\\Local\\Zed'],
      ...seen(ZED_PATHS),
    },
  ],
  hosts: [
    { need: 'optional', hosts: ['cloud.zed.dev'], ...seen('https://github.com/steipete/CodexBar/blob/HEAD/docs/zed.md') },
    { need: 'optional', hosts: ['zed.dev'], ...seen(ZED_CASK) },
    { need: 'optional', hosts: ['llm.zed.dev', 'collab.zed.dev'], ...unseen('https://zed.dev/docs') },
  ],
} as const satisfies AgentProfile;

const ANTIGRAVITY_CASK = `${CASKS}/a/antigravity.rb` as const;

export const ANTIGRAVITY = {
  id: 'antigravity',
  name: 'Antigravity',
  vendor: 'Google',
  kind: 'ide-agent',
  packages: [{ ecosystem: 'homebrew-cask', name: 'antigravity', ...seen(ANTIGRAVITY_CASK) }],
  executables: [{ os: EVERY_OS, names: ['antigravity'], ...unseen('https://antigravity.google/') }],
  bundleIds: [{ ids: ['com.google.antigravity'], ...seen(ANTIGRAVITY_CASK) }],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.gemini/antigravity/mcp_config.json'], ...seen(AGENT_SCAN) }],
  state: [
    { os: EVERY_OS, holds: ['settings', 'transcripts'], paths: ['${home}/.gemini/antigravity'], ...seen(AGENT_SCAN) },
    {
      os: ['macos'],
      holds: ['settings'],
      paths: ['${home}/.antigravity', '${home}/Library/Application Support/Antigravity'],
      ...seen(ANTIGRAVITY_CASK),
    },
    {
      os: ['linux'],
      holds: ['settings'],
      paths: ['${home}/.antigravity', '${home}/.config/Antigravity'],
      ...unseen('https://antigravity.google/'),
    },
    {
      os: ['windows'],
      holds: ['settings'],
      paths: ['${home}\\.antigravity', '${home}\\AppData\\Roaming\\Antigravity'],
      ...unseen('https://antigravity.google/'),
    },
  ],
  hosts: [{ need: 'required', hosts: ['cloudcode-pa.googleapis.com', 'oauth2.googleapis.com'], ...unseen('https://antigravity.google/') }],
} as const satisfies AgentProfile;

const TRAE_CASK = `${CASKS}/t/trae.rb` as const;

export const TRAE = {
  id: 'trae',
  name: 'Trae',
  vendor: 'ByteDance',
  kind: 'ide-agent',
  packages: [{ ecosystem: 'homebrew-cask', name: 'trae', ...seen(TRAE_CASK) }],
  executables: [{ os: EVERY_OS, names: ['trae'], ...unseen('https://docs.trae.ai/') }],
  bundleIds: [{ ids: ['com.trae.app'], ...seen(TRAE_CASK) }],
  mcp: [
    { os: ['macos'], paths: ['${home}/Library/Application Support/Trae/User/mcp.json'], ...unseen('https://docs.trae.ai/') },
    { os: ['windows'], paths: ['${home}\\AppData\\Roaming\\Trae\\User\\mcp.json'], ...unseen('https://docs.trae.ai/') },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.trae'], ...seen(SKILLS) },
    {
      os: ['macos'],
      holds: ['settings', 'credentials', 'transcripts'],
      paths: ['${home}/Library/Application Support/Trae'],
      ...seen(TRAE_CASK),
    },
    {
      os: ['windows'],
      holds: ['settings', 'credentials', 'transcripts'],
      paths: ['${home}\\AppData\\Roaming\\Trae'],
      ...unseen('https://docs.trae.ai/'),
    },
  ],
  hosts: [{ need: 'optional', hosts: ['api.trae.ai', 'lf-cdn.trae.ai'], ...seen(TRAE_CASK) }],
} as const satisfies AgentProfile;
