/** Brings an agent's program from the package registry into a cache folder of this checkout: no dependency of the project, and none of its install scripts runs. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const CLAUDE_CODE = '2.1.330';

/** @returns path of the agent's own program, unmodified */
export const installClaudeCode = (): string => {
  const cache = path.join(import.meta.dirname, '../../.cache/agents', `claude-code-${CLAUDE_CODE}`);
  const program = path.join(cache, `node_modules/@anthropic-ai/claude-code-linux-${process.arch}/claude`);
  if (!fs.existsSync(program)) {
    fs.mkdirSync(cache, { recursive: true });
    execFileSync(
      'npm',
      [
        'install',
        '--prefix',
        cache,
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--loglevel=error',
        `@anthropic-ai/claude-code@${CLAUDE_CODE}`,
      ],
      { stdio: 'inherit' },
    );
  }
  return program;
};
