/** All agent profiles. To add one: write it in `profiles/`, name it here, and add its line to docs/agents.md. */
import { MISTRAL_VIBE, QWEN_CODE } from './profiles/alibaba-mistral.ts';
import { AMAZON_Q, KIRO, KIRO_CLI } from './profiles/amazon.ts';
import { CLAUDE_CODE, CODEX } from './profiles/anthropic-openai.ts';
import { HERMES, NANOCLAW, OPENCLAW, PICOCLAW, ZEROCLAW } from './profiles/claws.ts';
import { BROWSER_USE, CHATGPT_ATLAS, CHATGPT_DESKTOP, CLAUDE_DESKTOP, COMET, MANUS } from './profiles/desktop.ts';
import { ANTIGRAVITY, CURSOR, TRAE, WINDSURF, ZED_AGENT } from './profiles/editors.ts';
import { CLINE, CONTINUE, COPILOT_VSCODE, JETBRAINS_JUNIE, KILO_CODE, ROO_CODE } from './profiles/extensions.ts';
import { GEMINI_CLI, GITHUB_COPILOT_CLI } from './profiles/google-github.ts';
import { AIDER, CRUSH, GOOSE, OPENCODE } from './profiles/open-cli.ts';
import { AMP, AUGGIE, CURSOR_CLI, DEVIN, DROID, OPENHANDS, PI } from './profiles/other-cli.ts';
import { CREWAI, JAN, LLAMA_CPP, LM_STUDIO, OLLAMA, SMOLAGENTS } from './profiles/runtimes-frameworks.ts';
import type { AgentProfile } from './schema.ts';

export const PROFILES: readonly AgentProfile[] = [
  AIDER,
  AMAZON_Q,
  AMP,
  ANTIGRAVITY,
  AUGGIE,
  BROWSER_USE,
  CHATGPT_ATLAS,
  CHATGPT_DESKTOP,
  CLAUDE_CODE,
  CLAUDE_DESKTOP,
  CLINE,
  CODEX,
  COMET,
  CONTINUE,
  COPILOT_VSCODE,
  CREWAI,
  CRUSH,
  CURSOR,
  CURSOR_CLI,
  DEVIN,
  DROID,
  GEMINI_CLI,
  GITHUB_COPILOT_CLI,
  GOOSE,
  HERMES,
  JAN,
  JETBRAINS_JUNIE,
  KILO_CODE,
  KIRO,
  KIRO_CLI,
  LLAMA_CPP,
  LM_STUDIO,
  MANUS,
  MISTRAL_VIBE,
  NANOCLAW,
  OLLAMA,
  OPENCLAW,
  OPENCODE,
  OPENHANDS,
  PI,
  PICOCLAW,
  QWEN_CODE,
  ROO_CODE,
  SMOLAGENTS,
  TRAE,
  WINDSURF,
  ZED_AGENT,
  ZEROCLAW,
];
