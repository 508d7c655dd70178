/** The terminal agents of Alibaba and Mistral. */
import { EVERY_OS, FORMULAE, SKILLS, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const QWEN_README = 'https://github.com/QwenLM/qwen-code/blob/HEAD/README.md';

export const QWEN_CODE = {
  id: 'qwen-code',
  name: 'Qwen Code',
  vendor: 'Alibaba',
  kind: 'coding-cli',
  packages: [
    { ecosystem: 'npm', name: '@qwen-code/qwen-code', ...seen(QWEN_README) },
    { ecosystem: 'homebrew', name: 'qwen-code', ...seen(`${FORMULAE}/q/qwen-code.rb`) },
  ],
  executables: [{ os: EVERY_OS, names: ['qwen'], ...seen(QWEN_README) }],
  config: [
    { os: EVERY_OS, paths: ['${home}/.qwen/.env', '${workspace}/.qwen/.env'], ...seen(QWEN_README) },
    {
      os: EVERY_OS,
      paths: ['${home}/.qwen/settings.json', '${workspace}/.qwen/settings.json'],
      ...unseen('https://github.com/QwenLM/qwen-code/blob/HEAD/packages/core/src/config/storage.ts'),
    },
  ],
  mcp: [
    {
      os: EVERY_OS,
      paths: ['${home}/.qwen/settings.json', '${workspace}/.qwen/settings.json'],
      ...unseen('https://github.com/QwenLM/qwen-code'),
    },
  ],
  state: [
    { os: EVERY_OS, holds: ['settings'], paths: ['${home}/.qwen'], ...seen(SKILLS) },
    {
      os: EVERY_OS,
      holds: ['credentials'],
      paths: ['${home}/.qwen/oauth_creds.json'],
      ...unseen('https://github.com/QwenLM/qwen-code/blob/HEAD/packages/core/src/config/storage.ts'),
    },
  ],
  hosts: [{ need: 'optional', hosts: ['dashscope.aliyuncs.com', 'dashscope-intl.aliyuncs.com'], ...seen(QWEN_README) }],
} as const satisfies AgentProfile;

export const MISTRAL_VIBE = {
  id: 'mistral-vibe',
  name: 'Mistral Vibe',
  vendor: 'Mistral AI',
  kind: 'coding-cli',
  packages: [
    {
      ecosystem: 'pypi',
      name: 'mistral-vibe',
      module: 'vibe',
      ...seen('https://github.com/mistralai/mistral-vibe/blob/HEAD/pyproject.toml'),
    },
    { ecosystem: 'homebrew', name: 'mistral-vibe', ...seen(`${FORMULAE}/m/mistral-vibe.rb`) },
  ],
  executables: [
    {
      os: EVERY_OS,
      names: ['vibe'],
      alsoNamed: 'Vibe, a transcription program',
      ...seen('https://github.com/mistralai/mistral-vibe/blob/HEAD/pyproject.toml'),
    },
    { os: EVERY_OS, names: ['vibe-acp'], ...seen('https://github.com/mistralai/mistral-vibe/blob/HEAD/pyproject.toml') },
  ],
  config: [
    {
      os: EVERY_OS,
      paths: ['${home}/.vibe/config.toml', '${workspace}/.vibe/config.toml'],
      ...unseen('https://github.com/mistralai/mistral-vibe'),
    },
  ],
  mcp: [
    {
      os: EVERY_OS,
      paths: ['${home}/.vibe/config.toml', '${workspace}/.vibe/config.toml'],
      ...unseen('https://github.com/mistralai/mistral-vibe'),
    },
  ],
  state: [{ os: EVERY_OS, holds: ['settings', 'credentials', 'transcripts'], paths: ['${home}/.vibe'], ...seen(SKILLS) }],
  hosts: [{ need: 'required', hosts: ['api.mistral.ai'], ...unseen('https://github.com/mistralai/mistral-vibe') }],
} as const satisfies AgentProfile;
