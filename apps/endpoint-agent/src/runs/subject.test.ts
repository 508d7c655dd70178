import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subjectOf, variablesOf } from './subject.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-subject-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

const account = { name: 'ada', uid: 4242, gid: 4242, home: '/home/ada' };
const place = (file: string): string => {
  const at = path.join(root, file);
  fs.mkdirSync(path.dirname(at), { recursive: true });
  fs.writeFileSync(at, '#!/bin/sh\n', { mode: 0o755 });
  return at;
};

describe('subjectOf', () => {
  it('takes an agent in a folder that others can write for a claim, whoever owns the file', () => {
    const file = place('node_modules/@anthropic-ai/claude-code/cli.js');
    expect(subjectOf([file], root, account, undefined).agent).toEqual({ id: 'claude-code', proof: 'claimed' });
    expect(subjectOf(['./node_modules/@anthropic-ai/claude-code/cli.js'], root, account, 'claude-code').agent.proof).toBe('claimed');
  });

  it('follows links to what truly runs: a link named like an agent is not one', () => {
    const link = path.join(root, 'claude');
    fs.symlinkSync('/usr/bin/env', link);
    expect(subjectOf([link], root, account, undefined).agent).toEqual({ id: 'unknown', proof: 'claimed' });
  });

  it('knows no program that is not there, and none that is found nowhere', () => {
    expect(subjectOf(['claude-of-nowhere'], root, account, undefined)).toEqual({
      agent: { id: 'unknown', proof: 'claimed' },
      user: 'ada',
      os: 'linux',
    });
    expect(subjectOf([path.join(root, 'missing/codex')], root, account, undefined).agent).toEqual({ id: 'codex', proof: 'claimed' });
  });

  it.runIf(process.getuid?.() === 0)('proves an agent that only root can change; not one that another account or a group can', () => {
    const folder = fs.mkdtempSync('/var/lib/cordon-subject-');
    try {
      const file = path.join(folder, 'node_modules/@openai/codex/bin/codex.js');
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, '', { mode: 0o755 });
      const proof = (): string => subjectOf([file], root, account, undefined).agent.proof;
      expect(proof()).toBe('proven');
      fs.chownSync(file, 4243, 0);
      expect(proof()).toBe('claimed');
      fs.chownSync(file, 0, 4243);
      expect(proof()).toBe('proven');
      fs.chmodSync(path.dirname(file), 0o775);
      expect(proof()).toBe('proven');
      fs.chownSync(path.dirname(file), 0, 4243);
      expect(proof()).toBe('claimed');
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe.runIf(process.getuid?.() === 0)('a link to an agent that only root can change', () => {
  let folder = '';
  let file = '';
  beforeAll(() => {
    folder = fs.mkdtempSync('/var/lib/cordon-subject-');
    file = path.join(folder, 'node_modules/@openai/codex/bin/codex.js');
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
  const linked = (name: string, target: string): string => {
    const link = path.join(name.startsWith('/') ? '' : folder, name);
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.symlinkSync(target, link);
    return link;
  };
  const proof = (place: string): string => subjectOf([place], root, account, undefined).agent.proof;

  it('proves it where root alone can change the link too, and nowhere else: it is followed again when the program starts', () => {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, '', { mode: 0o755 });
    const installed = linked('bin/codex', '../node_modules/@openai/codex/bin/codex.js');
    expect(proof(installed)).toBe('proven');
    expect(proof(linked('bin/again', installed))).toBe('proven');
    const users = linked(path.join(root, 'codex'), file);
    expect(proof(users)).toBe('claimed');
    expect(proof(linked('bin/through', users))).toBe('claimed');
    expect(proof(path.join(linked('bin/folder', root), 'codex'))).toBe('claimed');
    expect(proof(linked('bin/round', path.join(folder, 'bin/round')))).toBe('claimed');
  });
});

describe('variablesOf', () => {
  it('gives an agent its own places below the account’s home, and no workspace where the folder is gone', () => {
    expect(variablesOf(root, account, 'codex')).toMatchObject({
      home: '/home/ada',
      workspace: fs.realpathSync(root),
      agent: ['/home/ada/.codex'],
    });
    expect(variablesOf(path.join(root, 'gone'), account, 'unknown')).toMatchObject({ workspace: undefined, agent: [] });
  });
});
