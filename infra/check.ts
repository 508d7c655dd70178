/** `npm run check`: every static check, all of them even if one fails; ends with one line that counts them. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const bin = path.join(import.meta.dirname, '../node_modules/.bin');
const checks: readonly { readonly name: string; readonly command: string; readonly args: readonly string[] }[] = [
  { name: 'types', command: 'tsc', args: ['-p', '.', '--noEmit'] },
  { name: 'lint', command: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'format', command: 'oxfmt', args: ['--check', '.'] },
  { name: 'unused code', command: 'knip', args: ['--no-progress'] },
  { name: 'architecture', command: 'vitest', args: ['run', '--config', 'vitest.architecture.config.ts'] },
];

const failed = checks.filter(({ name, command, args }) => {
  const { status, error } = spawnSync(path.join(bin, command), args, { stdio: 'inherit', cwd: path.join(bin, '../..') });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}${error ? `: ${error.message}` : ''}`);
  return status !== 0;
});
console.log(`checks: ${checks.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
