import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CordonError } from '@cordon/policy/errors.ts';
import { checkStateFolder } from './state-folder.ts';

let [root, state]: [string, string] = ['', ''];
beforeEach(() => {
  root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-folder-')));
  state = path.join(root, 'outer', 'state');
  fs.mkdirSync(state, { recursive: true, mode: 0o700 });
  fs.chmodSync(path.join(root, 'outer'), 0o755);
  fs.writeFileSync(path.join(state, 'ratchet.json'), '{}', { mode: 0o600 });
  fs.mkdirSync(path.join(state, 'spool'), { mode: 0o700 });
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

/** @returns the place that is named, or `safe` */
const judge = (place = state): string | undefined => {
  try {
    checkStateFolder(place);
    return 'safe';
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    expect([error.code, error.message]).toEqual(['state.unsafe', expect.stringContaining('CORDON_AGENT_STATE')]);
    return error.place;
  }
};

describe('a state folder', () => {
  it('of this account alone is taken, also below a folder where everybody may make their own', () => {
    expect(judge()).toBe('safe');
    fs.chmodSync(path.join(root, 'outer'), 0o1777);
    expect(judge()).toBe('safe');
  });

  it.each<readonly [what: string, spoil: () => string]>([
    ['that others can enter', () => (fs.chmodSync(state, 0o755), state)],
    ['that others can write to', () => (fs.chmodSync(state, 0o770), state)],
    ['with a file that others can write', () => (fs.chmodSync(path.join(state, 'ratchet.json'), 0o602), path.join(state, 'ratchet.json'))],
    ['with a file that others can read', () => (fs.chmodSync(path.join(state, 'ratchet.json'), 0o640), path.join(state, 'ratchet.json'))],
    ['with a folder that others can enter', () => (fs.chmodSync(path.join(state, 'spool'), 0o711), path.join(state, 'spool'))],
    [
      'with a link in it',
      () => {
        fs.symlinkSync('/etc/hostname', path.join(state, 'state-a.json'));
        return path.join(state, 'state-a.json');
      },
    ],
    [
      'that is a link itself',
      () => {
        fs.renameSync(state, `${state}-real`);
        fs.symlinkSync(`${state}-real`, state);
        return state;
      },
    ],
    ['in a folder that everybody can write to', () => (fs.chmodSync(path.join(root, 'outer'), 0o777), path.join(root, 'outer'))],
  ])('%s is refused, and the place is named', (_what, spoil) => {
    const place = spoil();
    expect(judge()).toBe(place);
  });

  it('reached by a link through a folder that others can write to is refused', () => {
    const open = path.join(root, 'open');
    fs.mkdirSync(open);
    fs.chmodSync(open, 0o777);
    fs.symlinkSync(path.join(root, 'outer'), path.join(open, 'link'));
    expect(judge(path.join(open, 'link', 'state'))).toBe(open);
  });

  it('reached by a link of this account is judged by where it really lies too', () => {
    fs.symlinkSync(path.join(root, 'outer'), path.join(root, 'link'));
    expect(judge(path.join(root, 'link', 'state'))).toBe('safe');
    fs.chmodSync(path.join(root, 'outer'), 0o777);
    expect(judge(path.join(root, 'link', 'state'))).toBe(path.join(root, 'outer'));
  });

  it.runIf(process.getuid?.() === 0)('of another account, or with anything or any parent of one, is refused', () => {
    for (const place of [state, path.join(state, 'ratchet.json'), path.join(root, 'outer')]) {
      fs.chownSync(place, 65_534, 65_534);
      expect(judge()).toBe(place);
      fs.chownSync(place, 0, 0);
    }
    for (const mode of [0o775, 0o757]) {
      fs.chmodSync(path.join(root, 'outer'), mode);
      expect(judge()).toBe(path.join(root, 'outer'));
    }
  });
});
