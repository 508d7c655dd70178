import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { installShims, removeShims, statusOfShims, type ShimPlaces } from './folder.ts';
import { firstInPath, profileText, shimsFor, shimText, type Shim } from './shim.ts';

const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'shims-')));
afterAll(() => fs.rmSync(root, { recursive: true }));
const program = (place: string, text: string): string => {
  fs.mkdirSync(path.dirname(place), { recursive: true });
  fs.writeFileSync(place, text);
  fs.chmodSync(place, 0o755);
  return place;
};
/** Says what it was started with, a word a line. */
const SAY = '#!/bin/sh\nfor word in "$0" "$@"; do printf "%s\\n" "$word"; done\n';

describe('shims', () => {
  it('are for agents of a terminal whose name is theirs alone, and for others by their ids', () => {
    const names = shimsFor([], 'linux').map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['claude', 'codex', 'gemini', 'opencode']));
    for (const name of ['goose', 'amp', 'cursor', 'ollama', 'node']) expect(names).not.toContain(name);
    expect(new Set(names).size).toBe(names.length);
    expect(shimsFor(['goose'], 'linux')).toEqual([{ agent: 'goose', name: 'goose' }]);
    expect(() => shimsFor(['chatgpt-atlas'], 'linux')).toThrow(expect.objectContaining({ code: 'shim.agent' }));
  });

  it('start what PATH has next, contained, with every argument as it is', () => {
    const folder = path.join(root, "it's here", 'shims');
    const agent = program(path.join(root, 'bin', 'claude'), SAY);
    const cordon = program(path.join(root, 'cordon command'), SAY);
    const text = shimText({ agent: 'claude-code', name: 'claude' }, folder, [cordon, 'x y']);
    const shim = program(path.join(folder, 'claude'), text);
    const word = fc.string({ unit: 'grapheme', maxLength: 20 }).map((raw) => raw.replaceAll(/[\0\n]/g, ''));
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.constantFrom('$(id)', '*', "'", '"', '--', '-p', '')), { maxLength: 6 }), (words) => {
        const said = execFileSync(shim, words, { env: { PATH: `.:relative:${folder}/:${path.dirname(agent)}:/bin` }, encoding: 'utf8' });
        expect(said.split('\n').slice(0, -1)).toEqual([cordon, 'x y', 'run', '--agent', 'claude-code', '--', agent, ...words]);
      }),
      { numRuns: Math.min(LAW_RUNS, 40) },
    );
  });

  it('say so when there is nothing to start, and never start themselves', () => {
    const folder = path.join(root, 'alone');
    const shim = program(path.join(folder, 'codex'), shimText({ agent: 'codex', name: 'codex' }, folder, ['/bin/false']));
    const link = path.join(root, 'other-name');
    fs.symlinkSync(folder, link);
    expect(() => execFileSync(shim, [], { env: { PATH: `${folder}:${link}` }, stdio: 'pipe' })).toThrow(/shim.not-installed/);
  });

  it('come first in PATH once, for whoever logs in', () => {
    const folder = path.join(root, 'first');
    const profile = program(path.join(root, 'profile.sh'), profileText(folder));
    const said = execFileSync('/bin/sh', ['-c', `. ${profile}; . ${profile}; echo "$PATH"`], { env: { PATH: '/bin' }, encoding: 'utf8' });
    expect(said).toBe(`${folder}:/bin\n`);
  });

  it('are found in PATH as a shell finds them', () => {
    expect(firstInPath('x', 'rel:/a:/b/', (place) => place === '/b/x')).toBe('/b/x');
    expect(firstInPath('x', '', () => true)).toBeUndefined();
  });
});

describe('the folder of shims', () => {
  const known: Shim[] = [
    { agent: 'claude-code', name: 'claude' },
    { agent: 'codex', name: 'codex' },
  ];
  let places: ShimPlaces;
  beforeEach(() => {
    const at = fs.mkdtempSync(path.join(root, 'm-'));
    places = {
      folder: path.join(at, 'usr/local/lib/cordon/shims'),
      profile: path.join(at, 'etc/profile.d/cordon-shims.sh'),
      command: [program(path.join(at, 'cordon'), SAY)],
    };
  });
  const states = (searchPath = places.folder): string[] =>
    statusOfShims(known, places, searchPath).map(({ name, state, starts }) => `${name} ${state} ${starts ?? '-'}`);

  it('is made, looked at and taken away, and nothing of it stays', () => {
    expect(states()).toEqual([]);
    expect(installShims(known, places)).toEqual(['claude', 'codex'].map((name) => path.join(places.folder, name)));
    installShims(known, places);
    expect(states()).toEqual(['claude', 'codex'].map((name) => `${name} installed ${path.join(places.folder, name)}`));
    expect(fs.readdirSync(places.folder)).toEqual(['claude', 'codex']);
    expect(removeShims([{ agent: 'codex', name: 'codex' }], places).length).toBe(1);
    expect([states().length, fs.existsSync(places.profile ?? '')]).toEqual([1, true]);
    removeShims(undefined, places);
    expect([fs.existsSync(places.folder), fs.existsSync(places.profile ?? ''), removeShims(undefined, places)]).toEqual([false, false, []]);
  });

  it('says what starts instead, and what was changed or could be', () => {
    installShims(known, places);
    const other = program(path.join(root, 'before', 'claude'), SAY);
    expect(states(`${path.dirname(other)}:${places.folder}`)[0]).toBe(`claude installed ${other}`);
    fs.appendFileSync(path.join(places.folder, 'codex'), '\nevil\n');
    program(path.join(places.folder, 'unknown'), SAY);
    fs.chmodSync(path.join(places.folder, 'claude'), 0o777);
    expect(states('').map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['claude unsafe', 'codex changed', 'unknown changed']);
    fs.chmodSync(places.folder, 0o777);
    expect(states('')).toEqual(['claude unsafe -', 'codex unsafe -', 'unknown unsafe -']);
  });

  it('is not made where others could change what shims start, or the folder itself', () => {
    fs.chmodSync(places.command[0] ?? '', 0o777);
    expect(() => installShims(known, places)).toThrow(expect.objectContaining({ code: 'shim.unsafe' }));
    fs.chmodSync(places.command[0] ?? '', 0o755);
    fs.mkdirSync(places.folder, { recursive: true });
    fs.chmodSync(places.folder, 0o777);
    expect(() => installShims(known, places)).toThrow(expect.objectContaining({ code: 'folder.unsafe' }));
  });
});
