/** The direction rules of ARCHITECTURE.md, as tests: who may import whom, and what the pure core may not touch. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = import.meta.dirname;
const sources = (folder: string): string[] =>
  fs
    .globSync(`${folder}/**/*.ts`, { cwd: root })
    .filter((file) => !file.includes('node_modules') && !file.includes('generated'))
    .sort();
const text = (file: string): string => fs.readFileSync(path.join(root, file), 'utf8');
const importsOf = (file: string): string[] =>
  [...text(file).matchAll(/^\s*(?:import|export)\s[^'"=;]*?\bfrom\s+'([^']+)'|^\s*import\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm)].map(
    (m) => m[1] ?? m[2] ?? m[3] ?? '',
  );
/** Tests, and what only they use: helpers begin with `_`. */
const isTest = (file: string): boolean => file.endsWith('.test.ts') || path.basename(file).startsWith('_') || file.includes('/tests/');
/** Compiled requests are typed against the sandbox's SDK; nothing of it runs in the pure core. */
const SDK = '@microsoft/mxc-sdk/v1';
const importsOnlyTypes = (file: string, target: string): boolean =>
  text(file)
    .split('\n')
    .filter((line) => line.includes(`'${target}'`))
    .every((line) => line.startsWith('import type '));
const resolved = (file: string, target: string): string => (target.startsWith('.') ? path.join(path.dirname(file), target) : target);

describe('architecture', () => {
  const policy = sources('packages/policy').filter((f) => !isTest(f));

  it('finds sources to judge', () => {
    expect(policy.length).toBeGreaterThan(10);
    expect(sources('apps').length).toBeGreaterThan(20);
  });

  it('packages/policy imports nothing of ours and nothing that touches a process, file or network', () => {
    const allowed = new Set([
      'typebox',
      'typebox/compile',
      'typebox/value',
      'typebox/format',
      'yaml',
      'smol-toml',
      'tldts',
      'node:crypto',
      'node:path/posix',
      'node:net',
      'node:url',
      'node:buffer',
    ]);
    const wrong = policy.flatMap((f) =>
      importsOf(f)
        .filter((i) => !i.startsWith('.') && !allowed.has(i) && !(i === SDK && importsOnlyTypes(f, i)))
        .map((i) => `${f}: ${i}`),
    );
    expect(wrong).toEqual([]);
  });

  it('packages/policy takes time and randomness as arguments', () => {
    const impure = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandomBytes\(|\brandomUUID\(|\bprocess\.|\bsetTimeout\(/;
    expect(policy.filter((f) => impure.test(text(f).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')))).toEqual([]);
  });

  it('signatures are made and verified by Node itself: jose is a second opinion, for tests', () => {
    const users = [...policy, ...sources('apps').filter((f) => !isTest(f))].filter((f) =>
      importsOf(f).some((i) => i === 'jose' || i.startsWith('jose/')),
    );
    expect(users).toEqual([]);
  });

  it('an app never imports another app', () => {
    const apps = fs.readdirSync(path.join(root, 'apps'));
    const wrong = (app: string, other: string): string[] =>
      sources(`apps/${app}`).filter((f) =>
        importsOf(f).some((i) => resolved(f, i).includes(`apps/${other}/`) || i.startsWith(`@cordon/${other}`)),
      );
    expect(apps.length).toBeGreaterThan(2);
    expect(apps.flatMap((app) => apps.filter((other) => other !== app).flatMap((other) => wrong(app, other)))).toEqual([]);
  });

  it('a feature of the control plane never imports the store of another feature', () => {
    const feature = (file: string): string => path.dirname(file).split('/src/')[1]?.split('/')[0] ?? '';
    const wrong = sources('apps/control-plane/src')
      .filter((f) => !isTest(f))
      .flatMap((f) => importsOf(f).map((i) => ({ f, target: resolved(f, i) })))
      .filter(({ f, target }) => target.endsWith('/store.ts') && feature(target) !== feature(f))
      .map(({ f, target }) => `${f}: ${target}`);
    expect(wrong).toEqual([]);
  });

  it('only config.ts of each app reads the environment', () => {
    const readers = sources('apps').filter((f) => !isTest(f) && /\bprocess\.env\b/.test(text(f)) && !f.endsWith('/config.ts'));
    expect(readers).toEqual([]);
  });

  it('parts of the agent are found by place.ts alone: packed, they lie elsewhere', () => {
    const agent = sources('apps/endpoint-agent/src').filter((f) => !isTest(f));
    expect(agent.filter((f) => /\bimport\.meta\.(?:dirname|filename|url)\b/.test(text(f)))).toEqual(['apps/endpoint-agent/src/place.ts']);
  });

  it('no source file is longer than 250 lines', () => {
    const long = [...policy, ...sources('apps'), ...sources('bench'), ...sources('infra')].filter(
      (f) => !isTest(f) && text(f).split('\n').length > 251,
    );
    expect(long).toEqual([]);
  });
});
