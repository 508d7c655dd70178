/** Programs that run models on the machine itself, and frameworks in which people write agents of their own. */
import { CASKS, EVERY_OS, FORMULAE, MCP_GATEWAY, UNIX, seen, unseen } from '../evidence.ts';
import type { AgentProfile } from '../schema.ts';

const OLLAMA_FORMULA = `${FORMULAE}/o/ollama.rb` as const;
const OLLAMA_CASK = `${CASKS}/o/ollama-app.rb` as const;
const OLLAMA_WINDOWS = 'https://github.com/ollama/ollama/blob/HEAD/docs/windows.md';
const OLLAMA_LINUX = 'https://github.com/ollama/ollama/blob/HEAD/docs/linux.md';

export const OLLAMA = {
  id: 'ollama',
  name: 'Ollama',
  vendor: 'Ollama',
  kind: 'local-runtime',
  packages: [
    { ecosystem: 'homebrew', name: 'ollama', ...seen(OLLAMA_FORMULA) },
    { ecosystem: 'homebrew-cask', name: 'ollama-app', ...seen(OLLAMA_CASK) },
  ],
  executables: [
    { os: ['linux'], names: ['ollama'], ...seen(OLLAMA_LINUX) },
    { os: ['macos'], names: ['ollama'], ...seen(OLLAMA_CASK) },
    { os: ['windows'], names: ['ollama'], ...seen(OLLAMA_WINDOWS) },
  ],
  bundleIds: [{ ids: ['com.electron.ollama'], ...seen(OLLAMA_CASK) }],
  state: [
    {
      os: ['macos'],
      holds: ['settings', 'cache'],
      paths: ['${home}/.ollama', '${home}/Library/Application Support/Ollama'],
      ...seen(OLLAMA_CASK),
    },
    { os: ['linux'], holds: ['settings', 'cache'], paths: ['/usr/share/ollama'], ...seen(OLLAMA_LINUX) },
    { os: ['linux'], holds: ['settings', 'cache'], paths: ['${home}/.ollama'], ...unseen(OLLAMA_LINUX) },
    {
      os: ['windows'],
      holds: ['settings', 'cache'],
      paths: ['${home}\\.ollama', '${home}\\AppData\\Local\\Ollama'],
      ...seen(OLLAMA_WINDOWS),
    },
  ],
  hosts: [
    { need: 'required', hosts: ['registry.ollama.ai'], ...unseen('https://github.com/ollama/ollama') },
    { need: 'optional', hosts: ['ollama.com'], ...seen(OLLAMA_LINUX) },
  ],
} as const satisfies AgentProfile;

const LM_STUDIO_CASK = `${CASKS}/l/lm-studio.rb` as const;
const LMS_DOCS = 'https://lmstudio.ai/docs/lms';

export const LM_STUDIO = {
  id: 'lm-studio',
  name: 'LM Studio',
  vendor: 'Element Labs',
  kind: 'local-runtime',
  packages: [{ ecosystem: 'homebrew-cask', name: 'lm-studio', ...seen(LM_STUDIO_CASK) }],
  executables: [{ os: EVERY_OS, names: ['lms'], alsoNamed: 'other programs of three letters', ...seen(LMS_DOCS) }],
  bundleIds: [{ ids: ['ai.elementlabs.lmstudio'], ...seen(LM_STUDIO_CASK) }],
  processes: [{ os: ['macos', 'windows'], names: ['LM Studio'], ...unseen(LM_STUDIO_CASK) }],
  mcp: [{ os: EVERY_OS, paths: ['${home}/.lmstudio/mcp.json', '${home}/.cache/lm-studio/mcp.json'], ...seen(MCP_GATEWAY) }],
  state: [
    {
      os: EVERY_OS,
      holds: ['settings', 'transcripts', 'cache'],
      paths: ['${home}/.lmstudio', '${home}/.cache/lm-studio'],
      ...seen(MCP_GATEWAY),
    },
    {
      os: ['macos'],
      holds: ['settings'],
      paths: ['${home}/Library/Application Support/LM Studio', '${home}/Library/Logs/LM Studio'],
      ...seen(LM_STUDIO_CASK),
    },
  ],
  hosts: [
    { need: 'optional', hosts: ['versions-prod.lmstudio.ai', 'releases.lmstudio.ai'], ...seen(LM_STUDIO_CASK) },
    { need: 'optional', hosts: ['huggingface.co', 'lmstudio.ai'], ...unseen('https://lmstudio.ai/docs/app') },
  ],
} as const satisfies AgentProfile;

const JAN_APP = 'https://github.com/janhq/jan/blob/HEAD/src-tauri/tauri.conf.json';

export const JAN = {
  id: 'jan',
  name: 'Jan',
  vendor: 'Menlo Research',
  kind: 'local-runtime',
  packages: [{ ecosystem: 'homebrew-cask', name: 'jan', ...seen(`${CASKS}/j/jan.rb`) }],
  executables: [{ os: EVERY_OS, names: ['Jan-Desktop'], ...seen(JAN_APP) }],
  bundleIds: [{ ids: ['jan.ai.app'], ...seen(JAN_APP) }],
  state: [
    {
      os: ['macos'],
      holds: ['settings', 'transcripts', 'cache'],
      paths: ['${home}/Library/Application Support/Jan'],
      ...seen(`${CASKS}/j/jan.rb`),
    },
    {
      os: ['linux'],
      holds: ['settings', 'transcripts', 'cache'],
      paths: ['${home}/.config/Jan', '${home}/.local/share/Jan'],
      ...unseen('https://jan.ai/docs/data-folder'),
    },
    {
      os: ['windows'],
      holds: ['settings', 'transcripts', 'cache'],
      paths: ['${home}\\AppData\\Roaming\\Jan'],
      ...unseen('https://jan.ai/docs/data-folder'),
    },
  ],
  hosts: [
    { need: 'optional', hosts: ['apps.jan.ai', 'github.com'], ...seen(JAN_APP) },
    { need: 'telemetry', hosts: ['eu-assets.i.posthog.com'], ...seen(JAN_APP) },
  ],
} as const satisfies AgentProfile;

const LLAMA_FORMULA = `${FORMULAE}/l/llama.cpp.rb` as const;

export const LLAMA_CPP = {
  id: 'llama-cpp',
  name: 'llama.cpp',
  vendor: 'ggml.org',
  kind: 'local-runtime',
  packages: [{ ecosystem: 'homebrew', name: 'llama.cpp', ...seen(LLAMA_FORMULA) }],
  executables: [
    { os: UNIX, names: ['llama-completion'], ...seen(LLAMA_FORMULA) },
    { os: UNIX, names: ['llama-server'], ...seen(OLLAMA_FORMULA) },
    { os: EVERY_OS, names: ['llama-cli'], ...unseen('https://github.com/ggml-org/llama.cpp') },
  ],
  state: [
    { os: ['linux'], holds: ['cache'], paths: ['${home}/.cache/llama.cpp'], ...unseen('https://github.com/ggml-org/llama.cpp') },
    { os: ['macos'], holds: ['cache'], paths: ['${home}/Library/Caches/llama.cpp'], ...unseen('https://github.com/ggml-org/llama.cpp') },
  ],
  hosts: [{ need: 'optional', hosts: ['huggingface.co'], ...unseen('https://github.com/ggml-org/llama.cpp') }],
} as const satisfies AgentProfile;

const SMOLAGENTS_PROJECT = 'https://github.com/huggingface/smolagents/blob/HEAD/pyproject.toml';

export const SMOLAGENTS = {
  id: 'smolagents',
  name: 'smolagents',
  vendor: 'Hugging Face',
  kind: 'framework',
  packages: [{ ecosystem: 'pypi', name: 'smolagents', module: 'smolagents', ...seen(SMOLAGENTS_PROJECT) }],
  executables: [
    { os: EVERY_OS, names: ['smolagent'], ...seen(SMOLAGENTS_PROJECT) },
    { os: EVERY_OS, names: ['webagent'], alsoNamed: 'other programs of so general a name', ...seen(SMOLAGENTS_PROJECT) },
  ],
  hosts: [{ need: 'optional', hosts: ['huggingface.co', 'router.huggingface.co'], ...unseen('https://huggingface.co/docs/smolagents') }],
} as const satisfies AgentProfile;

const CREWAI_PROJECT = 'https://github.com/crewAIInc/crewAI/blob/HEAD/lib/crewai/pyproject.toml';

export const CREWAI = {
  id: 'crewai',
  name: 'CrewAI',
  vendor: 'CrewAI',
  kind: 'framework',
  packages: [{ ecosystem: 'pypi', name: 'crewai', module: 'crewai', ...seen(CREWAI_PROJECT) }],
  executables: [{ os: EVERY_OS, names: ['crewai'], ...unseen('https://docs.crewai.com/') }],
  state: [
    { os: ['linux'], holds: ['settings', 'transcripts'], paths: ['${home}/.local/share/crewai'], ...unseen('https://docs.crewai.com/') },
    { os: ['linux', 'macos'], holds: ['settings'], paths: ['${home}/.config/crewai'], ...unseen('https://docs.crewai.com/') },
  ],
  hosts: [{ need: 'telemetry', hosts: ['telemetry.crewai.com'], ...unseen('https://docs.crewai.com/en/telemetry') }],
} as const satisfies AgentProfile;
