/** Open-source coding agents for the terminal that work with any model provider: OpenCode, Aider, Goose, Crush. */
import { CASKS, EVERY_OS, FORMULAE, MCP_GATEWAY, SKILLS, UNIX, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const OPENCODE_FORMULA = `${FORMULAE}/o/opencode.rb` as const;
const OPENCODE_PLACES = 'https://opencode.ai/v1/docs/troubleshooting.md';
const OPENCODE_FOLDERS = 'https://github.com/anomalyco/opencode/blob/HEAD/packages/opencode/src/global/index.ts';

export const OPENCODE = {
  id: 'opencode',
  name: 'OpenCode',
  vendor: 'Anomaly',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'npm', name: 'opencode-ai', ...seen(OPENCODE_FORMULA) },
    { ecosystem: 'npm', name: 'opencode-linux-x64', ...seen('pkg:npm/opencode-linux-x64') },
    { ecosystem: 'npm', name: 'opencode-linux-x64-musl', ...seen('pkg:npm/opencode-linux-x64-musl') },
    { ecosystem: 'npm', name: 'opencode-linux-x64-baseline', ...seen('pkg:npm/opencode-linux-x64-baseline') },
    { ecosystem: 'npm', name: 'opencode-linux-arm64', ...seen('pkg:npm/opencode-linux-arm64') },
    { ecosystem: 'npm', name: 'opencode-linux-arm64-musl', ...seen('pkg:npm/opencode-linux-arm64-musl') },
    { ecosystem: 'npm', name: 'opencode-darwin-x64', ...seen(OPENCODE_FORMULA) },
    { ecosystem: 'npm', name: 'opencode-darwin-arm64', ...seen(OPENCODE_FORMULA) },
    { ecosystem: 'homebrew', name: 'opencode', ...seen(OPENCODE_FORMULA) },
  ],
  executables: [
    { os: EVERY_OS, names: ['opencode'], ...seen('https://github.com/anomalyco/opencode/blob/HEAD/packages/opencode/package.json') },
  ],
  config: [
    { os: EVERY_OS, paths: ['${home}/.config/opencode/opencode.json'], ...seen(MCP_GATEWAY) },
    { os: EVERY_OS, paths: ['${workspace}/opencode.json', '${workspace}/.opencode'], ...unseen('https://opencode.ai/docs/config') },
  ],
  mcp: [
    { os: EVERY_OS, paths: ['${home}/.config/opencode/opencode.json'], ...seen(MCP_GATEWAY) },
    { os: EVERY_OS, paths: ['${workspace}/opencode.json'], ...unseen('https://opencode.ai/docs/config') },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.config/opencode'], ...seen(MCP_GATEWAY) },
    { os: EVERY_OS, holds: ['transcripts'], paths: ['${home}/.local/share/opencode'], ...seen(OPENCODE_PLACES) },
    { os: EVERY_OS, holds: ['credentials'], paths: ['${home}/.local/share/opencode/auth.json'], ...seen(OPENCODE_PLACES) },
    { os: UNIX, holds: ['cache'], paths: ['${home}/.cache/opencode', '${home}/.local/state/opencode'], ...seen(OPENCODE_FOLDERS) },
  ],
  hosts: [{ need: 'optional', hosts: ['models.dev', 'opencode.ai'], ...unseen('https://opencode.ai/docs/') }],
} as const satisfies AgentProfile;

const AIDER_PROJECT = 'https://github.com/Aider-AI/aider/blob/HEAD/pyproject.toml';

export const AIDER = {
  id: 'aider',
  name: 'Aider',
  vendor: 'Aider AI',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'pypi', name: 'aider-chat', module: 'aider', ...seen(AIDER_PROJECT) },
    { ecosystem: 'homebrew', name: 'aider', ...seen(`${FORMULAE}/a/aider.rb`) },
  ],
  executables: [{ os: EVERY_OS, names: ['aider'], ...seen(AIDER_PROJECT) }],
  config: [
    {
      os: EVERY_OS,
      paths: ['${home}/.aider.conf.yml', '${workspace}/.aider.conf.yml'],
      ...seen('https://aider.chat/docs/config/aider_conf.html'),
    },
  ],
  state: [
    {
      os: EVERY_OS,
      holds: ['settings', 'cache'],
      paths: ['${home}/.aider'],
      ...seen('https://github.com/Aider-AI/aider/blob/HEAD/aider/analytics.py'),
    },
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.aider.conf.yml'], ...seen('https://aider.chat/docs/config/aider_conf.html') },
    {
      os: EVERY_OS,
      holds: ['transcripts'],
      paths: ['${workspace}/.aider.chat.history.md'],
      ...seen('https://docs.rs/lore-cli/0.2.0/lore_cli/capture/watchers/aider/index.html'),
    },
  ],
  hosts: [{ need: 'telemetry', hosts: ['us.i.posthog.com'], ...unseen('https://aider.chat/docs/more/analytics.html') }],
} as const satisfies AgentProfile;

const GOOSE_FORMULA = `${FORMULAE}/b/block-goose-cli.rb` as const;
const GOOSE_CONFIG = 'https://github.com/block/goose/blob/HEAD/documentation/docs/guides/config-files.md';

export const GOOSE = {
  id: 'goose',
  name: 'Goose',
  vendor: 'Block',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'homebrew', name: 'block-goose-cli', ...seen(GOOSE_FORMULA) },
    { ecosystem: 'homebrew-cask', name: 'block-goose', ...seen(`${CASKS}/b/block-goose.rb`) },
  ],
  executables: [{ os: EVERY_OS, names: ['goose'], alsoNamed: 'Goose, a database migration tool', ...seen(GOOSE_FORMULA) }],
  processes: [{ os: ['macos'], names: ['Goose'], ...unseen(`${CASKS}/b/block-goose.rb`) }],
  config: [
    { os: UNIX, paths: ['${home}/.config/goose/config.yaml'], ...seen(GOOSE_CONFIG) },
    { os: ['windows'], paths: ['${home}\\AppData\\Roaming\\Block\\goose\\config\\config.yaml'], ...seen(GOOSE_CONFIG) },
  ],
  mcp: [
    { os: UNIX, paths: ['${home}/.config/goose/config.yaml'], ...seen(MCP_GATEWAY) },
    { os: ['windows'], paths: ['${home}\\AppData\\Roaming\\Block\\goose\\config\\config.yaml'], ...seen(MCP_GATEWAY) },
  ],
  state: [
    { os: UNIX, holds: ['settings'], paths: ['${home}/.config/goose'], ...seen(GOOSE_CONFIG) },
    { os: UNIX, holds: ['credentials'], paths: ['${home}/.config/goose/secrets.yaml'], ...seen(GOOSE_CONFIG) },
    { os: UNIX, holds: ['transcripts'], paths: ['${home}/.local/share/goose'], ...seen(GOOSE_CONFIG) },
    {
      os: UNIX,
      holds: ['cache'],
      paths: ['${home}/.local/state/goose'],
      ...unseen('https://github.com/block/goose/blob/HEAD/crates/goose/src/config/paths.rs'),
    },
    {
      os: ['windows'],
      holds: ['settings', 'credentials', 'transcripts'],
      paths: ['${home}\\AppData\\Roaming\\Block\\goose'],
      ...seen(GOOSE_CONFIG),
    },
    { os: ['macos'], holds: ['settings'], paths: ['${home}/Library/Application Support/Goose'], ...seen(`${CASKS}/b/block-goose.rb`) },
  ],
} as const satisfies AgentProfile;

const CRUSH_README = 'https://github.com/charmbracelet/crush/blob/HEAD/README.md';

export const CRUSH = {
  id: 'crush',
  name: 'Crush',
  vendor: 'Charm',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'npm', name: '@charmland/crush', ...seen(CRUSH_README) },
    { ecosystem: 'go', name: 'github.com/charmbracelet/crush', ...seen(CRUSH_README) },
  ],
  executables: [{ os: EVERY_OS, names: ['crush'], ...seen(CRUSH_README) }],
  config: [
    { os: UNIX, paths: ['${home}/.config/crush/crush.json', '${workspace}/crush.json', '${workspace}/.crush.json'], ...seen(CRUSH_README) },
    { os: ['windows'], paths: ['${home}\\AppData\\Local\\crush\\crush.json'], ...seen(CRUSH_README) },
  ],
  mcp: [
    { os: UNIX, paths: ['${home}/.config/crush/crush.json', '${workspace}/.crush.json'], ...seen(MCP_GATEWAY) },
    { os: ['windows'], paths: ['${home}\\AppData\\Local\\crush\\crush.json', '${workspace}\\.crush.json'], ...seen(MCP_GATEWAY) },
  ],
  state: [
    { os: UNIX, holds: ['settings'], paths: ['${home}/.config/crush'], ...seen(SKILLS) },
    { os: UNIX, holds: ['credentials', 'cache'], paths: ['${home}/.local/share/crush'], ...unseen(CRUSH_README) },
    { os: ['windows'], holds: ['settings', 'credentials'], paths: ['${home}\\AppData\\Local\\crush'], ...seen(CRUSH_README) },
    { os: EVERY_OS, holds: ['transcripts'], paths: ['${workspace}/.crush'], ...seen(CRUSH_README) },
  ],
} as const satisfies AgentProfile;
