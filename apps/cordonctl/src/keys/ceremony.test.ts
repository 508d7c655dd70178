import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { verifyFloor } from '@cordon/policy/trust/floor.ts';
import { openSeeds } from '@cordon/policy/trust/sealed-seeds.ts';
import { ROLE_NAMES } from '@cordon/policy/trust/founding.ts';
import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import { holdCeremony, witnessCount } from './init.ts';
import { openKey } from './key-file.ts';
import { readOrganisation } from './organisation-file.ts';
import { raiseEpoch, rotate } from './rotate.ts';

const NOW = new Date('2026-06-01T00:00:00.000Z');
let folder: string;
let out: string;
beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-ceremony-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true }));
  out = path.join(folder, 'org');
  await holdCeremony({
    out,
    rootKeys: 3,
    rootThreshold: 2,
    approvers: 1,
    days: 365,
    now: NOW,
    floor: {
      apiVersion: 'cordon/v1',
      kind: 'ContainmentPolicy',
      metadata: { name: 'floor' },
      spec: { limit: { resources: { timeout: '7d' } } },
    },
  });
});
const organisation = (of: string) => path.join(of, 'server/organisation.json');
const key = (name: string, of = out) => path.join(of, name);

describe('the ceremony of a new organisation', () => {
  it('makes a root that demands two of three keys, and a floor that it signed', async () => {
    const { trusted, floor } = await readOrganisation(organisation(out), NOW);
    expect([trusted.document.version, trusted.document.epoch, trusted.document.roles.root.threshold, trusted.keys('root').size]).toEqual([
      1, 0, 2, 3,
    ]);
    expect((await verifyFloor(floor, trusted)).version).toBe(1);
  });

  it('seals every key under a passphrase of its own, readable by nobody else, and gives the server only the online ones', async () => {
    const { trusted } = await readOrganisation(organisation(out), NOW);
    for (const name of ['root-1.key', 'root-2.key', 'root-3.key', 'floor.key', 'approver.key']) {
      expect(fs.statSync(key(name)).mode & 0o777).toBe(0o600);
      const role = name.replace(/-?\d?\.key$/, '') as 'root' | 'floor' | 'approver';
      expect([...trusted.keys(role).keys()]).toContain(openKey(key(name)).kid);
    }
    const passphrases = ['root-1.key', 'root-2.key', 'floor.key'].map((name) => fs.readFileSync(`${key(name)}.passphrase`, 'utf8'));
    expect(new Set(passphrases).size).toBe(3);
    expect(fs.readdirSync(path.join(out, 'server')).sort()).toEqual(['online-keys.json', 'organisation.json', 'passphrase']);
    const online = openSeeds(
      fs.readFileSync(path.join(out, 'server/online-keys.json'), 'utf8'),
      fs.readFileSync(path.join(out, 'server/passphrase')),
    );
    expect([...trusted.keys('checkpoint').keys()]).toEqual([keyPairFromSeed(Buffer.from(online['checkpoint'] ?? '', 'base64url')).kid]);
  });

  it('has witnesses from the beginning where they are wanted: more than half must cosign unless said', async () => {
    const place = path.join(folder, 'watched');
    const floor = { apiVersion: 'cordon/v1', kind: 'ContainmentPolicy', metadata: { name: 'floor' }, spec: {} } as const;
    const witnesses = witnessCount('3', undefined);
    await holdCeremony({ out: place, rootKeys: 1, rootThreshold: 1, approvers: 1, witnesses, days: 365, now: NOW, floor });
    const { trusted } = await readOrganisation(organisation(place), NOW);
    expect([trusted.document.roles.witness?.threshold, trusted.keys('witness').size]).toEqual([2, 3]);
    expect([...trusted.keys('witness').keys()]).toContain(openKey(path.join(place, 'witness-3.key')).kid);
    expect([witnessCount('1', undefined), witnessCount('2', undefined), witnessCount('4', '4')].map(({ threshold }) => threshold)).toEqual([
      1, 2, 4,
    ]);
    expect(() => witnessCount('2', '3')).toThrow(expect.objectContaining({ code: 'cli.usage' }));
  });

  it('overwrites nothing', async () => {
    await expect(
      holdCeremony({
        out,
        rootKeys: 1,
        rootThreshold: 1,
        approvers: 1,
        days: 1,
        now: NOW,
        floor: { apiVersion: 'cordon/v1', kind: 'ContainmentPolicy', metadata: { name: 'floor' }, spec: {} },
      }),
    ).rejects.toMatchObject({ code: 'files.not-empty' });
  });

  it('leaves nothing of a ceremony that could not be ended', async () => {
    const place = path.join(folder, 'refused');
    await expect(
      holdCeremony({
        out: place,
        rootKeys: 1,
        rootThreshold: 1,
        approvers: 1,
        days: 1,
        now: NOW,
        floor: {
          apiVersion: 'cordon/v1',
          kind: 'ContainmentPolicy',
          metadata: { name: 'floor' },
          spec: { allow: { environment: ['LANG'] } },
        },
      }),
    ).rejects.toMatchObject({ code: 'floor.allow' });
    expect(fs.readdirSync(place)).toEqual([]);
  });

  it('refuses a key file that others can read', () => {
    fs.chmodSync(`${key('root-1.key')}.passphrase`, 0o644);
    expect(() => openKey(key('root-1.key'))).toThrow(expect.objectContaining({ code: 'files.open' }));
  });
});

describe('a change of the root', () => {
  const next = (name: string) => path.join(folder, name);

  it('rotates the online keys by two root keys, and by one it does not', async () => {
    const rotation = { organisation: organisation(out), out: next('v2'), days: 365, now: NOW };
    await expect(rotate('checkpoint', { ...rotation, out: next('alone'), with: [key('root-1.key')] })).rejects.toMatchObject({
      code: 'root.threshold',
    });
    expect(await rotate('checkpoint', { ...rotation, with: [key('root-1.key'), key('root-3.key')] })).toBe(2);
    const [before, after] = [await readOrganisation(organisation(out), NOW), await readOrganisation(organisation(next('v2')), NOW)];
    expect(after.fingerprint).toBe(before.fingerprint);
    expect([...after.trusted.keys('checkpoint').keys()]).not.toEqual([...before.trusted.keys('checkpoint').keys()]);
    expect(fs.existsSync(path.join(next('v2'), 'server/online-keys.json'))).toBe(true);
  });

  it('replaces a lost root share; the lost one signs nothing any more', async () => {
    await rotate('root', {
      organisation: organisation(out),
      with: [key('root-1.key'), key('root-2.key')],
      out: next('v2'),
      days: 365,
      now: NOW,
    });
    const from = { organisation: organisation(next('v2')), days: 365, now: NOW };
    await expect(raiseEpoch({ ...from, with: [key('root-1.key'), key('root-3.key')], out: next('stolen') })).rejects.toMatchObject({
      code: 'root.threshold',
    });
    expect(await raiseEpoch({ ...from, with: [key('root-1.key', next('v2')), key('root-2.key', next('v2'))], out: next('v3') })).toBe(3);
    expect((await readOrganisation(organisation(next('v3')), NOW)).trusted.document.epoch).toBe(1);
  });

  it('of any role is one that a server takes: the floor is signed by keys that the newest root names, and says what it said', async () => {
    const before = await readOrganisation(organisation(out), NOW);
    const { version, document } = await verifyFloor(before.floor, before.trusted);
    for (const role of ROLE_NAMES) {
      await rotate(role, {
        organisation: organisation(out),
        with: [key('root-1.key'), key('root-2.key')],
        out: next(role),
        days: 365,
        now: NOW,
      });
      const after = await readOrganisation(organisation(next(role)), NOW);
      expect(await verifyFloor(after.floor, after.trusted), role).toEqual({ version: version + (role === 'floor' ? 1 : 0), document });
    }
  });

  it('demands witnesses, makes others of them, and demands them no longer, as the root says', async () => {
    const two = { days: 365, now: NOW, with: [key('root-1.key'), key('root-2.key')] };
    const witnessesIn = async (of: string): Promise<readonly [threshold: number | undefined, keys: readonly string[]]> => {
      const { trusted } = await readOrganisation(organisation(of), NOW);
      return [trusted.document.roles.witness?.threshold, [...trusted.keys('witness').keys()]];
    };
    const made = (of: string, number: number): string[] =>
      Array.from({ length: number }, (_, i) => openKey(path.join(of, `witness-${i + 1}.key`)).kid);
    expect(await witnessesIn(out)).toEqual([undefined, []]);
    await rotate('witness', { ...two, organisation: organisation(out), out: next('v2'), witnesses: { count: 3, threshold: 2 } });
    expect(await witnessesIn(next('v2'))).toEqual([2, made(next('v2'), 3)]);
    await rotate('witness', { ...two, organisation: organisation(next('v2')), out: next('v3') });
    expect(await witnessesIn(next('v3'))).toEqual([2, made(next('v3'), 3)]);
    expect(made(next('v3'), 3)).not.toEqual(made(next('v2'), 3));
    await rotate('witness', { ...two, organisation: organisation(next('v3')), out: next('v4'), witnesses: { count: 0, threshold: 1 } });
    expect(await witnessesIn(next('v4'))).toEqual([undefined, []]);
    await expect(
      rotate('witness', { ...two, organisation: organisation(out), out: next('x'), witnesses: { count: 1, threshold: 2 } }),
    ).rejects.toMatchObject({ code: 'root.keys' });
  });

  it('needs a file that cordonctl wrote', async () => {
    fs.writeFileSync(path.join(folder, 'x.json'), '{"format":"cordon-organisation/1"}');
    await expect(readOrganisation(path.join(folder, 'x.json'), NOW)).rejects.toMatchObject({ code: 'organisation.file' });
  });
});
