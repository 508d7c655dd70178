/** Claws: agents that run all the time, take orders from chat and mail, and act on the whole machine. */
import { AGENT_SCAN, CASKS, EVERY_OS, FORMULAE, SKILLS, UNIX, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const OPENCLAW_FORMULA = `${FORMULAE}/o/openclaw-cli.rb` as const;
const OPENCLAW_CASK = `${CASKS}/o/openclaw.rb` as const;
const OPENCLAW_PATHS = 'https://github.com/openclaw/openclaw/blob/HEAD/src/config/paths.ts';

export const OPENCLAW = {
  id: 'openclaw',
  name: 'OpenClaw',
  vendor: 'OpenClaw',
  kind: 'claw',
  packages: [
    { ecosystem: 'npm', name: 'openclaw', ...seen(OPENCLAW_FORMULA) },
    // Its earlier names.
    { ecosystem: 'npm', name: 'clawdbot', ...seen('pkg:npm/clawdbot') },
    { ecosystem: 'npm', name: 'moltbot', ...unseen('pkg:npm/moltbot') },
    { ecosystem: 'homebrew', name: 'openclaw-cli', ...seen(OPENCLAW_FORMULA) },
    { ecosystem: 'homebrew-cask', name: 'openclaw', ...seen(OPENCLAW_CASK) },
  ],
  executables: [
    { os: EVERY_OS, names: ['openclaw'], ...seen(OPENCLAW_FORMULA) },
    { os: EVERY_OS, names: ['clawdbot', 'moltbot'], ...unseen(OPENCLAW_PATHS) },
  ],
  bundleIds: [
    { ids: ['bot.molt.mac'], ...seen(OPENCLAW_CASK) },
    {
      ids: ['ai.openclaw.mac'],
      ...unseen('https://github.com/openclaw/openclaw/blob/HEAD/apps/macos/Sources/OpenClaw/Resources/Info.plist'),
    },
  ],
  config: [{ os: EVERY_OS, paths: ['${home}/.openclaw/openclaw.json'], ...seen('https://docs.openclaw.ai/cli/setup') }],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.openclaw/openclaw.json'], ...unseen('https://docs.openclaw.ai/') }],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.openclaw', '${home}/.clawdbot'], ...seen(AGENT_SCAN) },
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.moltbot'], ...seen(SKILLS) },
    { os: EVERY_OS, holds: ['credentials'], paths: ['${home}/.openclaw/credentials'], ...seen(OPENCLAW_PATHS) },
    { os: EVERY_OS, holds: ['transcripts'], paths: ['${home}/.openclaw/agents'], ...unseen('https://docs.openclaw.ai/') },
    { os: ['macos'], holds: ['settings'], paths: ['${home}/Library/Application Support/OpenClaw'], ...seen(OPENCLAW_CASK) },
  ],
  hosts: [{ need: 'optional', hosts: ['clawhub.ai', 'openclaw.ai'], ...unseen('https://docs.openclaw.ai/') }],
} as const satisfies AgentProfile;

const HERMES_PROJECT = 'https://github.com/NousResearch/hermes-agent/blob/HEAD/pyproject.toml';
const HERMES_CONFIG = 'https://github.com/NousResearch/hermes-agent/blob/HEAD/website/docs/user-guide/configuration.md';

export const HERMES = {
  id: 'hermes',
  name: 'Hermes Agent',
  vendor: 'Nous Research',
  kind: 'claw',
  packages: [
    { ecosystem: 'pypi', name: 'hermes-agent', module: 'hermes_cli', ...seen(HERMES_PROJECT) },
    { ecosystem: 'homebrew', name: 'hermes-agent', ...seen(`${FORMULAE}/h/hermes-agent.rb`) },
  ],
  executables: [
    {
      os: EVERY_OS,
      names: ['hermes'],
      alsoNamed: 'Hermes, a JavaScript engine, and Hermes, a blockchain relayer',
      ...seen(HERMES_PROJECT),
    },
    { os: EVERY_OS, names: ['hermes-agent', 'hermes-acp'], ...seen(HERMES_PROJECT) },
  ],
  config: [{ os: UNIX, paths: ['${home}/.hermes/config.yaml', '${home}/.hermes/.env'], ...seen(HERMES_CONFIG) }],
  mcp: [{ os: UNIX, paths: ['${home}/.hermes/config.yaml'], ...seen('https://microsoft.github.io/apm/integrations/hermes/') }],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.hermes'], ...seen(SKILLS) },
    { os: UNIX, holds: ['credentials'], paths: ['${home}/.hermes/.env', '${home}/.hermes/auth.json'], ...seen(HERMES_CONFIG) },
    {
      os: UNIX,
      holds: ['transcripts'],
      paths: ['${home}/.hermes/sessions', '${home}/.hermes/memories', '${home}/.hermes/logs'],
      ...seen(HERMES_CONFIG),
    },
  ],
  hosts: [{ need: 'optional', hosts: ['portal.nousresearch.com', 'inference-api.nousresearch.com'], ...unseen(HERMES_CONFIG) }],
} as const satisfies AgentProfile;

const NANOCLAW_README = 'https://github.com/nanocoai/nanoclaw/blob/HEAD/README.md';
const NANOCLAW_SECURITY = 'https://github.com/nanocoai/nanoclaw/blob/HEAD/docs/SECURITY.md';

/** Nothing to install: each user runs a fork of its repository with Node, and its agents in Docker. */
export const NANOCLAW = {
  id: 'nanoclaw',
  name: 'NanoClaw',
  vendor: 'NanoCo',
  kind: 'claw',
  executables: [
    { os: UNIX, names: ['nanoclaw.sh'], ...seen(NANOCLAW_README) },
    { os: UNIX, names: ['ncl'], alsoNamed: 'NCAR Command Language', ...seen(NANOCLAW_README) },
  ],
  config: [{ os: UNIX, paths: ['${home}/.config/nanoclaw/mount-allowlist.json'], ...seen(NANOCLAW_SECURITY) }],
  state: [{ os: UNIX, holds: ['settings'], paths: ['${home}/.config/nanoclaw'], ...seen(NANOCLAW_SECURITY) }],
  hosts: [{ need: 'required', hosts: ['api.anthropic.com'], ...unseen(NANOCLAW_README) }],
} as const satisfies AgentProfile;

const ZEROCLAW_README = 'https://github.com/zeroclaw-labs/zeroclaw/blob/HEAD/README.md';

export const ZEROCLAW = {
  id: 'zeroclaw',
  name: 'ZeroClaw',
  vendor: 'ZeroClaw Labs',
  kind: 'claw',
  packages: [{ ecosystem: 'homebrew', name: 'zeroclaw', ...seen(`${FORMULAE}/z/zeroclaw.rb`) }],
  executables: [{ os: EVERY_OS, names: ['zeroclaw'], ...seen(ZEROCLAW_README) }],
  config: [{ os: EVERY_OS, paths: ['${home}/.zeroclaw/config.toml'], ...seen(ZEROCLAW_README) }],
  state: [{ os: EVERY_OS, holds: ['settings', 'credentials', 'transcripts'], paths: ['${home}/.zeroclaw'], ...seen(ZEROCLAW_README) }],
} as const satisfies AgentProfile;

const PICOCLAW_README = 'https://github.com/sipeed/picoclaw/blob/HEAD/README.md';

export const PICOCLAW = {
  id: 'picoclaw',
  name: 'PicoClaw',
  vendor: 'Sipeed',
  kind: 'claw',
  packages: [{ ecosystem: 'homebrew', name: 'picoclaw', ...seen(`${FORMULAE}/p/picoclaw.rb`) }],
  executables: [{ os: EVERY_OS, names: ['picoclaw'], ...seen(PICOCLAW_README) }],
  config: [{ os: EVERY_OS, paths: ['${home}/.picoclaw/config.json'], ...seen(PICOCLAW_README) }],
  state: [
    { os: EVERY_OS, holds: ['settings', 'credentials'], paths: ['${home}/.picoclaw'], ...seen(PICOCLAW_README) },
    { os: EVERY_OS, holds: ['transcripts'], paths: ['${home}/.picoclaw/workspace'], ...seen(PICOCLAW_README) },
  ],
} as const satisfies AgentProfile;
