import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { privateDescriptor } from './descriptors.ts';

let folder: string;
beforeAll(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-fds-'))));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('closeInherited', () => {
  it('closes what a parent left open, whatever its number, and nothing of Node’s own', async () => {
    const script = path.join(folder, 'inherits.ts');
    const module = path.join(import.meta.dirname, 'descriptors.ts');
    fs.writeFileSync(
      script,
      `import fs from 'node:fs';
import { spawnSync } from 'node:child_process';
import { closeInherited } from ${JSON.stringify(module)};
const closed = closeInherited();
const { stdout } = spawnSync('sh', ['-c', 'for fd in 3 77 1000; do [ -e /proc/self/fd/$fd ] && echo $fd; done; true'], { encoding: 'utf8' });
console.log(JSON.stringify({ closed, seen: stdout, again: closeInherited() }));
`,
    );
    const shell = 'exec 77</ 1000</etc 3</; exec "$@"';
    const child = spawn('bash', ['-c', shell, 'bash', process.execPath, '--disable-warning=ExperimentalWarning', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { closed, seen, again } = JSON.parse(await text(child.stdout)) as { closed: number[]; seen: string; again: number[] };
    expect(closed).toEqual(expect.arrayContaining([77, 1000]));
    expect({ seen, again }).toEqual({ seen: '', again: [] });
  });
});

describe('privateDescriptor', () => {
  it('is readable, and has no name any more', () => {
    const fd = privateDescriptor(folder, 'secret', 'the text', undefined);
    try {
      expect(fs.readFileSync(fd, 'utf8')).toBe('the text');
      expect(fs.readdirSync(folder)).not.toContain('secret');
      expect(fs.fstatSync(fd).nlink).toBe(0);
      expect(fs.fstatSync(fd).mode & 0o777).toBe(0o400);
    } finally {
      fs.closeSync(fd);
    }
  });

  it('never takes a file that somebody put there', () => {
    fs.writeFileSync(path.join(folder, 'planted'), 'planted');
    expect(() => privateDescriptor(folder, 'planted', 'mine', undefined)).toThrow(/EEXIST/);
    expect(fs.readFileSync(path.join(folder, 'planted'), 'utf8')).toBe('planted');
  });
});
