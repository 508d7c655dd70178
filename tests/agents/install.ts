/** Brings an agent's program from the package registry into a cache folder of this checkout: no dependency of the project, and none of its install scripts runs. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** @returns path of a file of the package, unmodified. @param spec name and exact version. @param file below `node_modules` */
const install = (spec: string, file: string): string => {
  const cache = path.join(import.meta.dirname, '../../.cache/agents', spec.slice(1).replaceAll(/[@/]/g, '-'));
  const program = path.join(cache, 'node_modules', file);
  if (!fs.existsSync(program)) {
    fs.mkdirSync(cache, { recursive: true });
    execFileSync('npm', ['install', '--prefix', cache, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', spec], {
      stdio: 'inherit',
    });
  }
  return program;
};

export const installClaudeCode = (): string =>
  install('@anthropic-ai/claude-code@2.1.330', `@anthropic-ai/claude-code-linux-${process.arch}/claude`);

/** As Rust names the machine. */
const TRIPLES: Readonly<Record<string, string>> = { x64: 'x86_64-unknown-linux-musl', arm64: 'aarch64-unknown-linux-musl' };

export const installCodex = (): string =>
  install('@openai/codex@0.169.0', `@openai/codex-linux-${process.arch}/vendor/${TRIPLES[process.arch] ?? ''}/bin/codex`);
