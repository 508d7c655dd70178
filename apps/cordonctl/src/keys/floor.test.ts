import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { verifyFloor } from '@cordon/policy/trust/floor.ts';
import { describeChange, floorChange } from './floor-change.ts';
import { signNextFloor } from './floor.ts';
import { holdCeremony } from './init.ts';
import { readOrganisation } from './organisation-file.ts';
import { rotate } from './rotate.ts';

const NOW = new Date('2026-06-01T00:00:00.000Z');
const floorOf = (spec: PolicyDocument['spec']): PolicyDocument => ({
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name: 'floor' },
  spec,
});
const FIRST = floorOf({ limit: { resources: { timeout: '7d' } } });
const TIGHTER = floorOf({ limit: { resources: { timeout: '8h' } }, deny: { network: { hosts: [{ host: '*.pastebin.com' }] } } });

let folder: string;
beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-floor-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true }));
  await holdCeremony({ out: at('org'), rootKeys: 2, rootThreshold: 1, approvers: 1, days: 365, now: NOW, floor: FIRST });
});
const at = (...names: readonly string[]): string => path.join(folder, ...names);
const organisation = (of: string): string => at(of, 'server/organisation.json');
const sign = (floor: PolicyDocument, change: Partial<Parameters<typeof signNextFloor>[0]> = {}) =>
  signNextFloor({
    organisation: organisation('org'),
    floor,
    with: [at('org/floor.key')],
    out: at('f2'),
    now: NOW,
    loosen: false,
    ...change,
  });

describe('a new floor', () => {
  it('is signed offline under the next version, by the roots that are there, and says what it takes', async () => {
    const change = await sign(TIGHTER);
    expect(change).toMatchObject({ version: 2, narrower: true });
    const told = describeChange(change).split('\n');
    expect(told.slice(0, 2)).toEqual(['floor version 2 takes no less than the one before', 'on linux, macos, windows:']);
    expect(told.slice(2)).toEqual([
      expect.stringMatching(/^ {2}- network\.host +\*\.pastebin\.com:22,80,443 .*denied by rule \S+ of the floor/) as unknown,
      expect.stringMatching(/^ {2}- resources +timeout +at most 28800000 ms; before: at most 604800000 ms$/) as unknown,
      '',
    ]);
    const { trusted, roots, floor } = await readOrganisation(organisation('f2'), NOW);
    expect(roots).toHaveLength(1);
    expect(await verifyFloor(floor, trusted)).toEqual({ version: 2, document: TIGHTER });
  });

  it('that gives back what the one before took is refused, unless that is meant', async () => {
    await sign(TIGHTER);
    const back = { organisation: organisation('f2'), out: at('f3') };
    await expect(sign(FIRST, back)).rejects.toMatchObject({
      code: 'floor.loosens',
      message: expect.stringContaining('on linux it gives back network.host *.pastebin.com') as unknown,
    });
    expect(fs.existsSync(at('f3'))).toBe(false);
    expect(await sign(FIRST, { ...back, loosen: true })).toMatchObject({ version: 3, narrower: false });
  });

  it('is signed by floor keys and no others, and never grants', async () => {
    await expect(sign(TIGHTER, { with: [at('org/root-1.key')] })).rejects.toMatchObject({ code: 'floor.threshold' });
    await expect(sign(floorOf({ allow: { environment: ['LANG'] } }))).rejects.toMatchObject({ code: 'floor.allow' });
    await expect(sign(floorOf({ mode: 'audit' }))).rejects.toMatchObject({ code: 'floor.mode' });
    expect(fs.existsSync(at('f2'))).toBe(false);
  });

  it('is signed by the new floor keys once they were rotated, and by the lost ones no more', async () => {
    await rotate('floor', { organisation: organisation('org'), with: [at('org/root-1.key')], out: at('v2'), days: 365, now: NOW });
    const after = { organisation: organisation('v2') };
    await expect(sign(TIGHTER, after)).rejects.toMatchObject({ code: 'floor.threshold' });
    expect(await sign(TIGHTER, { ...after, with: [at('v2/floor.key')] })).toMatchObject({ version: 3 });
  });
});

describe('what a change of the floor does', () => {
  const change = (before: PolicyDocument['spec'], after: PolicyDocument['spec']) => floorChange(floorOf(before), floorOf(after), 2);

  it.each<readonly [what: string, before: PolicyDocument['spec'], after: PolicyDocument['spec']]>([
    ['a port', {}, { deny: { network: { hosts: [{ host: 'a.example', ports: [8443] }] } } }],
    ['a network', {}, { deny: { network: { cidrs: [{ cidr: '169.254.0.0/16' }] } } }],
    ['a place', {}, { deny: { filesystem: { access: ['/srv/secret'] } } }],
    ['a variable', { limit: { environment: ['LANG', 'TERM'] } }, { limit: { environment: ['LANG'] } }],
    ['a right of the desktop', {}, { limit: { ui: { inputInjection: false } } }],
    ['incoming connections', {}, { limit: { network: { ingress: false } } }],
    ['time', { limit: { resources: { timeout: '7d' } } }, { limit: { resources: { timeout: '1d' } } }],
    ['one agent', {}, { match: { agents: ['codex'] }, deny: { run: true } }],
  ])('is seen for %s, in both directions', (_what, before, after) => {
    expect(change(before, after).narrower).toBe(true);
    expect(change(after, before).narrower).toBe(false);
    expect(change(after, after)).toMatchObject({ narrower: true });
  });

  it('the floor of the starter set is no looser than none', () => {
    const file = path.join(import.meta.dirname, '../../../../packages/policy/starter/floor.yaml');
    const starter = parsePolicy(fs.readFileSync(file, 'utf8')).document;
    expect(floorChange(floorOf({}), starter, 2).narrower).toBe(true);
    expect(floorChange(starter, floorOf({}), 3).narrower).toBe(false);
  });
});
