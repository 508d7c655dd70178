import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { AGENT_VERSION } from '../version.ts';
import { manPage } from './man.ts';
import { COMMANDS } from './table.ts';

const page = manPage(AGENT_VERSION);
const rendered = (...options: string[]): { status: number | null; stdout: string; stderr: string } => {
  const { status, stdout, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-P-cbou', ...options], { input: page, encoding: 'utf8' });
  return { status, stdout: stdout ?? '', stderr: stderr ?? '' };
};
const hasGroff = spawnSync('groff', ['--version']).status === 0;

describe('the manual page', () => {
  it('in docs is that of the table of commands', () => {
    const kept = fs.readFileSync(path.join(import.meta.dirname, '../../../../docs/cordon.1'), 'utf8');
    expect(kept === page, 'write it anew: npm run --silent cordon -- man > docs/cordon.1').toBe(true);
  });

  it.runIf(hasGroff)('is one that groff takes without a warning, with every command and option in it', () => {
    const { status, stdout, stderr } = rendered('-ww');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const text = stdout.replaceAll(/\s+/g, ' ').replaceAll('\u2010', '-').replaceAll('\u2212', '-');
    for (const { name, summary, options } of COMMANDS) {
      expect(text).toContain(`cordon ${name}`);
      expect(text).toContain(summary.replaceAll('\u2019', "'").split("'")[0]);
      for (const option of options) expect(text).toContain(`--${option.name}`);
    }
  });
});
