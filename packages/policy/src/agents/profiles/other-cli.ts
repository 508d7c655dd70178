/** Further coding agents for the terminal: Amp, OpenHands, Droid, Auggie, Pi, Devin, Cursor's CLI. */
import { CASKS, EVERY_OS, SKILLS, UNIX, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const AMP_FILES = 'https://www.developersdigest.tech/reference/amp/config-files';

export const AMP = {
  id: 'amp',
  name: 'Amp',
  vendor: 'Sourcegraph',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'npm', name: '@sourcegraph/amp', ...seen('pkg:npm/@sourcegraph/amp') },
    { ecosystem: 'npm', name: '@ampcode/cli', ...seen('pkg:npm/@sourcegraph/amp') },
  ],
  executables: [
    { os: EVERY_OS, names: ['amp'], alsoNamed: 'Amp, a text editor', ...seen('https://sourcegraph.com/docs/api/mcp/client-integrations') },
  ],
  extensions: [{ ids: ['sourcegraph.amp'], ...unseen('https://marketplace.visualstudio.com/items?itemName=sourcegraph.amp') }],
  config: [
    { os: EVERY_OS, paths: ['${home}/.config/amp/settings.json', '${workspace}/.amp/settings.json'], ...seen(AMP_FILES) },
    { os: ['linux'], paths: ['/etc/ampcode/managed-settings.json'], ...seen(AMP_FILES) },
    { os: ['macos'], paths: ['/Library/Application Support/ampcode/managed-settings.json'], ...seen(AMP_FILES) },
    { os: ['windows'], paths: ['C:\\ProgramData\\ampcode\\managed-settings.json'], ...seen(AMP_FILES) },
  ],
  mcp: [
    { os: EVERY_OS, paths: ['${workspace}/.amp/settings.json'], ...seen(AMP_FILES) },
    { os: EVERY_OS, paths: ['${home}/.config/amp/settings.json'], ...unseen('https://ampcode.com/manual') },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.config/amp'], ...seen(SKILLS) },
    { os: EVERY_OS, holds: ['credentials', 'transcripts'], paths: ['${home}/.local/share/amp'], ...unseen('https://ampcode.com/manual') },
  ],
  hosts: [{ need: 'required', hosts: ['ampcode.com'], ...unseen('https://ampcode.com/manual') }],
} as const satisfies AgentProfile;

const OPENHANDS_PACKAGE = 'pkg:pypi/openhands';

export const OPENHANDS = {
  id: 'openhands',
  name: 'OpenHands',
  vendor: 'OpenHands',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'pypi', name: 'openhands', ...seen(OPENHANDS_PACKAGE) },
    { ecosystem: 'pypi', name: 'openhands-ai', ...seen('pkg:pypi/openhands-ai') },
  ],
  executables: [{ os: UNIX, names: ['openhands'], ...seen(OPENHANDS_PACKAGE) }],
  config: [
    { os: UNIX, paths: ['${home}/.openhands/agent_settings.json', '${home}/.openhands/cli_config.json'], ...seen(OPENHANDS_PACKAGE) },
  ],
  mcp: [{ os: UNIX, paths: ['${home}/.openhands/mcp.json'], ...seen(OPENHANDS_PACKAGE) }],
  state: [
    { os: UNIX, holds: ['settings', 'credentials'], paths: ['${home}/.openhands'], ...seen(OPENHANDS_PACKAGE) },
    {
      os: UNIX,
      holds: ['transcripts'],
      paths: ['${home}/.openhands/conversations'],
      ...seen('https://docs.openhands.dev/openhands/usage/cli'),
    },
  ],
} as const satisfies AgentProfile;

const DROID_SETTINGS = 'https://docs.factory.ai/enterprise/hierarchical-settings-and-org-control.md';

export const DROID = {
  id: 'droid',
  name: 'Droid',
  vendor: 'Factory',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'npm', name: 'droid', ...seen('pkg:npm/droid') },
    { ecosystem: 'npm', name: '@factory/cli', ...seen('pkg:npm/@factory/cli') },
    { ecosystem: 'homebrew-cask', name: 'droid', ...seen(`${CASKS}/d/droid.rb`) },
  ],
  executables: [
    { os: ['macos'], names: ['droid'], ...seen(`${CASKS}/d/droid.rb`) },
    { os: ['linux', 'windows'], names: ['droid'], ...unseen('https://docs.factory.ai/') },
  ],
  config: [
    { os: EVERY_OS, paths: ['${home}/.factory/settings.json', '${workspace}/.factory/settings.json'], ...seen(DROID_SETTINGS) },
    {
      os: ['linux'],
      paths: ['/etc/factory/settings.json'],
      ...seen('https://docs.factory.ai/jp/enterprise/hierarchical-settings-and-org-control.md'),
    },
    {
      os: ['macos'],
      paths: ['/Library/Application Support/Factory/settings.json'],
      ...seen('https://docs.factory.ai/jp/enterprise/hierarchical-settings-and-org-control.md'),
    },
  ],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.factory/mcp.json', '${workspace}/.factory/mcp.json'], ...seen(DROID_SETTINGS) }],
  state: [{ os: EVERY_OS, holds: ['settings', 'credentials', 'transcripts'], paths: ['${home}/.factory'], ...seen(SKILLS) }],
  hosts: [
    { need: 'required', hosts: ['api.factory.ai', 'app.factory.ai'], ...unseen('https://docs.factory.ai/enterprise/') },
    { need: 'optional', hosts: ['downloads.factory.ai'], ...seen(`${CASKS}/d/droid.rb`) },
  ],
} as const satisfies AgentProfile;

const AUGGIE_NEWS = 'https://www.augmentcode.com/changelog/auggie-cli-0-5-4-release-notes';

export const AUGGIE = {
  id: 'auggie',
  name: 'Auggie',
  vendor: 'Augment Code',
  kind: 'coding-cli',
  packages: [{ ecosystem: 'npm', name: '@augmentcode/auggie', ...seen('pkg:npm/@augmentcode/auggie') }],
  executables: [{ os: EVERY_OS, names: ['auggie'], ...seen(AUGGIE_NEWS) }],
  extensions: [
    { ids: ['augment.vscode-augment'], ...unseen('https://marketplace.visualstudio.com/items?itemName=augment.vscode-augment') },
  ],
  config: [{ os: EVERY_OS, paths: ['${home}/.augment/settings.json'], ...seen(AUGGIE_NEWS) }],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.augment/settings.json'], ...seen(AUGGIE_NEWS) }],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.augment'], ...seen(SKILLS) },
    {
      os: EVERY_OS,
      holds: ['credentials'],
      paths: ['${home}/.augment/session.json'],
      ...unseen('https://docs.augmentcode.com/cli/reference'),
    },
  ],
  hosts: [{ need: 'required', hosts: ['*.api.augmentcode.com', 'auth.augmentcode.com'], ...unseen('https://docs.augmentcode.com/') }],
} as const satisfies AgentProfile;

const PI_PACKAGE = 'https://github.com/badlogic/pi-mono/blob/HEAD/packages/coding-agent/package.json';

export const PI = {
  id: 'pi',
  name: 'Pi',
  vendor: 'Mario Zechner',
  kind: 'coding-cli',
  packages: [{ ecosystem: 'npm', name: '@mariozechner/pi-coding-agent', ...seen(PI_PACKAGE) }],
  executables: [{ os: EVERY_OS, names: ['pi'], alsoNamed: 'programs that compute pi', ...seen(PI_PACKAGE) }],
  config: [
    {
      os: EVERY_OS,
      paths: ['${home}/.pi/agent/settings.json', '${workspace}/.pi/settings.json'],
      ...unseen('https://github.com/badlogic/pi-mono'),
    },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings', 'transcripts'], paths: ['${home}/.pi/agent'], ...seen(SKILLS) },
    { os: EVERY_OS, holds: ['credentials'], paths: ['${home}/.pi/agent/auth.json'], ...unseen('https://github.com/badlogic/pi-mono') },
  ],
} as const satisfies AgentProfile;

const DEVIN_CONFIG = 'https://docs.devin.ai/es/cli/reference/configuration/config-file.md';

export const DEVIN = {
  id: 'devin',
  name: 'Devin CLI',
  vendor: 'Cognition',
  kind: 'coding-cli',
  executables: [{ os: EVERY_OS, names: ['devin'], ...unseen('https://docs.devin.ai/cli') }],
  config: [
    { os: UNIX, paths: ['${home}/.config/devin/config.json'], ...seen(DEVIN_CONFIG) },
    { os: ['windows'], paths: ['${home}\\AppData\\Roaming\\devin\\config.json'], ...seen(DEVIN_CONFIG) },
    { os: EVERY_OS, paths: ['${workspace}/.devin/config.json', '${workspace}/.devin/config.local.json'], ...seen(DEVIN_CONFIG) },
  ],
  mcp: [
    {
      os: EVERY_OS,
      paths: ['${workspace}/.devin/config.json', '${workspace}/.devin/config.local.json'],
      ...seen('https://docs.devin.ai/zh/cli/extensibility/configuration'),
    },
  ],
  state: [
    { os: UNIX, holds: ['settings'], paths: ['${home}/.config/devin'], ...seen(SKILLS) },
    { os: ['windows'], holds: ['settings'], paths: ['${home}\\AppData\\Roaming\\devin'], ...seen(DEVIN_CONFIG) },
  ],
  hosts: [{ need: 'required', hosts: ['app.devin.ai', 'api.devin.ai'], ...unseen('https://docs.devin.ai/cli') }],
} as const satisfies AgentProfile;

export const CURSOR_CLI = {
  id: 'cursor-cli',
  name: 'Cursor CLI',
  vendor: 'Anysphere',
  kind: 'coding-cli',
  packages: [{ ecosystem: 'homebrew-cask', name: 'cursor-cli', ...seen(`${CASKS}/c/cursor-cli.rb`) }],
  executables: [
    { os: ['macos'], names: ['cursor-agent'], ...seen(`${CASKS}/c/cursor-cli.rb`) },
    { os: ['linux', 'windows'], names: ['cursor-agent'], ...unseen('https://cursor.com/docs/cli') },
  ],
  config: [{ os: EVERY_OS, paths: ['${home}/.cursor/cli-config.json'], ...unseen('https://cursor.com/docs/cli/reference/configuration') }],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.cursor/mcp.json', '${workspace}/.cursor/mcp.json'], ...unseen('https://cursor.com/docs/cli') }],
  state: [
    { os: ['macos'], holds: ['settings'], paths: ['${home}/.config/cursor-agent'], ...seen(`${CASKS}/c/cursor-cli.rb`) },
    { os: ['macos'], holds: ['program'], paths: ['${home}/.local/share/cursor-agent'], ...seen(`${CASKS}/c/cursor-cli.rb`) },
    { os: ['linux'], holds: ['settings'], paths: ['${home}/.config/cursor-agent'], ...unseen('https://cursor.com/docs/cli') },
    { os: ['linux'], holds: ['program'], paths: ['${home}/.local/share/cursor-agent'], ...unseen('https://cursor.com/docs/cli') },
    {
      os: EVERY_OS,
      holds: ['settings', 'transcripts'],
      paths: ['${home}/.cursor'],
      ...unseen('https://cursor.com/docs/cli/reference/configuration'),
    },
  ],
  hosts: [{ need: 'required', hosts: ['api2.cursor.sh'], ...unseen('https://cursor.com/docs/enterprise/network-configuration.md') }],
} as const satisfies AgentProfile;
