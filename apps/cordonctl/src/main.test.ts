import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const MAIN = [process.execPath, '--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, 'main.ts')] as const;
const [node, ...before] = MAIN;
const cordonctl = (...args: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } => {
  const { status, stdout, stderr } = spawnSync(node, [...before, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
};
const folder = (): string => {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'cordonctl-'));
  onTestFinished(() => fs.rmSync(made, { recursive: true }));
  return made;
};

describe('cordonctl', () => {
  it.each([[[]], [['help']], [['--help']], [['keys', 'init', '--help']], [['audit', 'verify', '-h']]])('shows its usage for %j', (args) => {
    const { status, stdout, stderr } = cordonctl(...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('cordonctl keys init --out DIR');
  });

  it.each([
    [['keys', 'init', '--out', '/nowhere/x', '--bogus'], 'cli.usage'],
    [['keys', 'init'], 'cli.usage'],
    [['audit', 'verify', '/nowhere/x'], 'files.missing'],
    [['audit', 'verify', os.tmpdir()], 'files.missing'],
    [['audit', 'verify', '/nowhere/x', '--head', '3:ab'], 'cli.usage'],
    [['keys', 'show', '/nowhere/x'], 'files.missing'],
  ])('refuses %j in one line, with a code', (args, code) => {
    const { status, stdout, stderr } = cordonctl(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^cordonctl: [^\n]+\n$/);
    expect(stderr).toContain(`[${code}]`);
  });

  it('leaves no keys of a change that was refused, so that it can be tried again', () => {
    const place = folder();
    const [org, next] = [path.join(place, 'org'), path.join(place, 'v2')];
    execFileSync(node, [...before, 'keys', 'init', '--out', org]);
    const rotate = (...keys: readonly string[]) =>
      cordonctl(
        'keys',
        'rotate',
        'checkpoint',
        '--organisation',
        path.join(org, 'server/organisation.json'),
        '--out',
        next,
        ...keys.flatMap((name) => ['--with', path.join(org, name)]),
      );
    expect(rotate('root-1.key').stderr).toContain('[root.threshold]');
    expect(rotate('root-1.key', 'absent.key').stderr).toContain('[files.missing]');
    expect(fs.readdirSync(next)).toEqual([]);
    expect(rotate('root-1.key', 'root-3.key')).toMatchObject({ status: 0, stderr: '' });
  });
});
