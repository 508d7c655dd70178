/** Amazon's agents: Q Developer for the terminal, and its successors Kiro (an editor) and Kiro CLI. */
import { CASKS, EVERY_OS, MCP_GATEWAY, UNIX, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const Q_FOLDERS = 'https://github.com/aws/amazon-q-developer-cli/blob/HEAD/crates/chat-cli/src/util/directories.rs';
const Q_HOSTS = 'https://docs.aws.amazon.com/toolkit-for-jetbrains/latest/userguide/endpoints.html';

export const AMAZON_Q = {
  id: 'amazon-q',
  name: 'Amazon Q Developer CLI',
  vendor: 'Amazon',
  kind: 'coding-cli',
  packages: [{ ecosystem: 'homebrew-cask', name: 'amazon-q', ...seen(`${CASKS}/a/amazon-q.rb`) }],
  executables: [
    {
      os: ['macos'],
      names: ['q'],
      alsoNamed: 'the interpreter of kdb+, and other programs of one letter',
      ...seen(`${CASKS}/a/amazon-q.rb`),
    },
    { os: ['linux'], names: ['q'], alsoNamed: 'the interpreter of kdb+, and other programs of one letter', ...unseen(Q_FOLDERS) },
    { os: ['macos'], names: ['qterm'], ...seen(`${CASKS}/a/amazon-q.rb`) },
  ],
  bundleIds: [{ ids: ['com.amazon.codewhisperer'], ...seen(`${CASKS}/a/amazon-q.rb`) }],
  config: [
    { os: ['linux'], paths: ['${home}/.local/share/amazon-q/settings.json'], ...seen(Q_FOLDERS) },
    { os: ['macos'], paths: ['${home}/Library/Application Support/amazon-q/settings.json'], ...seen(Q_FOLDERS) },
    { os: ['windows'], paths: ['${home}\\AppData\\Local\\amazon-q\\settings.json'], ...seen(Q_FOLDERS) },
    { os: EVERY_OS, paths: ['${home}/.aws/amazonq/cli-agents', '${workspace}/.amazonq/cli-agents'], ...seen(Q_FOLDERS) },
  ],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.aws/amazonq/mcp.json', '${workspace}/.amazonq/mcp.json'], ...seen(Q_FOLDERS) }],
  state: [
    { os: EVERY_OS, holds: ['settings', 'cache'], paths: ['${home}/.aws/amazonq'], ...seen(Q_FOLDERS) },
    { os: ['linux'], holds: ['settings', 'transcripts'], paths: ['${home}/.local/share/amazon-q'], ...seen(Q_FOLDERS) },
    { os: ['macos'], holds: ['settings', 'transcripts'], paths: ['${home}/Library/Application Support/amazon-q'], ...seen(Q_FOLDERS) },
    { os: ['windows'], holds: ['settings', 'transcripts'], paths: ['${home}\\AppData\\Local\\amazon-q'], ...seen(Q_FOLDERS) },
  ],
  hosts: [
    { need: 'required', hosts: ['q.us-east-1.amazonaws.com', 'codewhisperer.us-east-1.amazonaws.com'], ...seen(Q_HOSTS) },
    {
      need: 'telemetry',
      hosts: ['client-telemetry.us-east-1.amazonaws.com', 'cognito-identity.us-east-1.amazonaws.com'],
      ...seen(Q_HOSTS),
    },
  ],
} as const satisfies AgentProfile;

export const KIRO = {
  id: 'kiro',
  name: 'Kiro',
  vendor: 'Amazon',
  kind: 'ide-agent',
  packages: [{ ecosystem: 'homebrew-cask', name: 'kiro', ...seen(`${CASKS}/k/kiro.rb`) }],
  executables: [
    { os: ['macos'], names: ['kiro'], ...seen(`${CASKS}/k/kiro.rb`) },
    { os: ['linux', 'windows'], names: ['kiro'], ...unseen('https://kiro.dev/docs/ide/') },
  ],
  bundleIds: [{ ids: ['dev.kiro.desktop'], ...seen(`${CASKS}/k/kiro.rb`) }],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.kiro/settings/mcp.json', '${workspace}/.kiro/settings/mcp.json'], ...seen(MCP_GATEWAY) }],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.kiro'], ...seen(MCP_GATEWAY) },
    {
      os: ['macos'],
      holds: ['settings', 'credentials', 'transcripts'],
      paths: ['${home}/Library/Application Support/Kiro'],
      ...seen(`${CASKS}/k/kiro.rb`),
    },
    {
      os: ['linux'],
      holds: ['settings', 'credentials', 'transcripts'],
      paths: ['${home}/.config/Kiro'],
      ...unseen('https://kiro.dev/docs/ide/'),
    },
    {
      os: ['windows'],
      holds: ['settings', 'credentials', 'transcripts'],
      paths: ['${home}\\AppData\\Roaming\\Kiro'],
      ...unseen('https://kiro.dev/docs/ide/'),
    },
  ],
  hosts: [
    { need: 'required', hosts: ['q.us-east-1.amazonaws.com', 'prod.us-east-1.auth.desktop.kiro.dev'], ...unseen('https://kiro.dev/docs/') },
    { need: 'optional', hosts: ['prod.download.desktop.kiro.dev'], ...seen(`${CASKS}/k/kiro.rb`) },
  ],
} as const satisfies AgentProfile;

export const KIRO_CLI = {
  id: 'kiro-cli',
  name: 'Kiro CLI',
  vendor: 'Amazon',
  kind: 'coding-cli',
  packages: [{ ecosystem: 'homebrew-cask', name: 'kiro-cli', ...seen(`${CASKS}/k/kiro-cli.rb`) }],
  executables: [
    { os: ['macos'], names: ['kiro-cli', 'kiro-cli-chat'], ...seen(`${CASKS}/k/kiro-cli.rb`) },
    { os: ['linux'], names: ['kiro-cli', 'kiro-cli-chat'], ...unseen('https://kiro.dev/docs/cli/') },
  ],
  bundleIds: [{ ids: ['dev.kiro.cli'], ...seen(`${CASKS}/k/kiro-cli.rb`) }],
  mcp: [
    {
      os: UNIX,
      paths: ['${home}/.kiro/settings/mcp.json', '${workspace}/.kiro/settings/mcp.json'],
      ...seen('https://docs.firecrawl.dev/zh/quickstarts/kiro'),
    },
  ],
  state: [
    { os: ['macos'], holds: ['settings'], paths: ['${home}/.kiro'], ...seen(`${CASKS}/k/kiro-cli.rb`) },
    { os: ['linux'], holds: ['settings'], paths: ['${home}/.kiro'], ...seen('https://docs.firecrawl.dev/zh/quickstarts/kiro') },
    {
      os: ['macos'],
      holds: ['credentials', 'transcripts'],
      paths: ['${home}/Library/Application Support/kiro-cli'],
      ...seen(`${CASKS}/k/kiro-cli.rb`),
    },
    {
      os: ['linux'],
      holds: ['credentials', 'transcripts'],
      paths: ['${home}/.local/share/kiro-cli'],
      ...unseen('https://kiro.dev/docs/cli/'),
    },
  ],
  hosts: [
    { need: 'required', hosts: ['q.us-east-1.amazonaws.com'], ...unseen('https://kiro.dev/docs/cli/') },
    { need: 'optional', hosts: ['desktop-release.q.us-east-1.amazonaws.com'], ...seen(`${CASKS}/k/kiro-cli.rb`) },
  ],
} as const satisfies AgentProfile;
