import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  after,
  createWorld,
  DAY,
  FLEET,
  keyNamed,
  rolesWithWitnesses,
  stateFor,
  type Fleet,
  type Forgery,
} from '@cordon/policy/trust/_world.ts';
import { saveEnrollment } from '../identity/enrollment.ts';
import { filesOf, makeFolder, removeFolder, type Halves } from '../policy-state/_device.ts';
import { createSlots, type KeptRatchet } from '../policy-state/slots.ts';
import { PARTS } from './table/verifier.ts';
import { verdictOn, verifyCommand, type Verdict } from './verify.ts';

const NOW = after(60_000);
const world = await createWorld('org_verify');
const ids = FLEET.devices.map((_, index) => `dev_${String(index).padStart(22, '0')}`);
const fleet: Fleet = { ...FLEET, devices: FLEET.devices.map(({ cohort }, index) => ({ id: ids[index] ?? '', cohort })) };
const published = async (serial: number, device = 0, change: Partial<Fleet> = {}, forgery: Forgery = {}): Promise<Halves> => {
  const { frame, membership } = await stateFor(world, { ...fleet, serial, ...change }, device, forgery);
  return { frame, membership };
};

let folder: string;
beforeEach(() => {
  folder = makeFolder();
  saveEnrollment(folder, {
    server: 'https://cordon.example',
    org: world.org,
    device: ids[0] ?? '',
    memberIndex: 0,
    fingerprint: world.fingerprint,
    roots: [...world.roots],
    floor: world.floor,
  });
});
afterEach(() => removeFolder(folder));

type Parts = Parameters<typeof verdictOn>[1];
type Texts = Partial<Record<(typeof PARTS)[number], string | Buffer>>;
const files = (texts: Texts): Parts =>
  new Map(PARTS.flatMap((part) => (texts[part] === undefined ? [] : [[part, Buffer.from(texts[part])]])));
/** One file per object, as a suite writes them. */
const partsOf = ({ frame, membership }: Halves, change: Texts = {}): Parts =>
  files({
    bundle: frame.bundle ?? '',
    manifest: frame.manifest,
    checkpoint: frame.checkpoint,
    cohort: JSON.stringify(frame.cohort),
    membership: JSON.stringify(membership),
    ...change,
  });
const ask = (parts: Parts, { now = NOW, receipt = true } = {}): Promise<Verdict> => verdictOn(folder, parts, now, receipt);
const store = (halves: Halves, ratchet: KeptRatchet): void => createSlots(folder).write(halves, ratchet);
const refused = (code: string): object => expect.objectContaining({ verdict: 'refused', code, digest: null, freshness: null });

describe('cordon verify', () => {
  it('demands cosignatures where the root does, in a file of their own like every other part', async () => {
    const watched = await createWorld('org_verify', { roles: rolesWithWitnesses('org_verify') });
    saveEnrollment(folder, {
      server: 'https://cordon.example',
      org: watched.org,
      device: ids[0] ?? '',
      memberIndex: 0,
      fingerprint: watched.fingerprint,
      roots: [...watched.roots],
      floor: watched.floor,
    });
    const { frame, membership } = await stateFor(watched, fleet, 0);
    const halves = { frame, membership };
    expect(await ask(partsOf(halves))).toEqual(refused('checkpoint.witness'));
    expect(await ask(partsOf(halves, { witness: JSON.stringify(frame.witness) }))).toMatchObject({ verdict: 'accepted' });
    expect(await ask(partsOf(halves, { witness: JSON.stringify(frame.witness?.slice(1)) }))).toEqual(refused('checkpoint.witness'));
    expect(await ask(files({ frame: JSON.stringify(frame), membership: JSON.stringify(membership) }))).toMatchObject({
      verdict: 'accepted',
    });
  });

  it('accepts an honest state, part by part or as a whole frame', async () => {
    const halves = await published(7);
    const expected = {
      verdict: 'accepted',
      code: null,
      message: null,
      freshness: 'current',
      digest: halves.frame.cohort.leaf.digest,
      epoch: 3,
      serial: 7,
    };
    expect(await ask(partsOf(halves))).toEqual(expected);
    const whole = { frame: JSON.stringify(halves.frame), membership: JSON.stringify(halves.membership) };
    expect(await ask(files(whole))).toEqual(expected);
  });

  it.each<readonly [code: string, change: (honest: Halves, other: Halves) => Texts]>([
    ['bundle.digest', ({ frame }) => ({ bundle: `${frame.bundle} ` })],
    ['json.refused', ({ frame }) => ({ bundle: Buffer.from(frame.bundle ?? '', 'latin1').fill(0xff, 0, 1) })],
    ['bundle.digest', ({ frame }) => ({ bundle: `\uFEFF${frame.bundle}` })],
    ['jws.encoding', ({ frame }) => ({ checkpoint: `${frame.checkpoint}\n` })],
    ['jws.signature', ({ frame }) => ({ manifest: frame.manifest.replace(/\.[^.]*$/, `.${'A'.repeat(86)}`) })],
    ['cohort.identity', (_, other) => ({ cohort: JSON.stringify(other.frame.cohort) })],
    ['manifest.digest', (_, other) => ({ manifest: other.frame.manifest })],
    ['member.identity', (_, other) => ({ membership: JSON.stringify(other.membership) })],
    ['json.refused', ({ frame }) => ({ cohort: JSON.stringify(frame.cohort).replace('{', '{"leaf":1,') })],
    ['channel.frame', () => ({ cohort: '{}' })],
    ['channel.frame', () => ({ membership: '[]' })],
    ['channel.frame', () => ({ frame: '"state"' })],
  ])('refuses with %s what is changed or mixed', async (code, change) => {
    const [honest, other] = [await published(7), await published(7, 1)];
    expect(await ask(partsOf(honest, change(honest, other)))).toEqual(refused(code));
  });

  it('takes what is not given from the state that the device has', async () => {
    const [old, fresh] = [await published(7), await published(8)];
    store(old, { epoch: 3, serial: 7, member: 7 });
    expect(await ask(files({ membership: JSON.stringify(fresh.membership) }))).toMatchObject({
      verdict: 'accepted',
      serial: 7,
    });
    const withoutBytes = JSON.stringify({ ...fresh.frame, bundle: null });
    expect(await ask(files({ frame: withoutBytes }))).toMatchObject({ verdict: 'accepted', serial: 8 });
    // A newer checkpoint of the same trees is all that a renewal is; one of other trees fits nothing that is here.
    expect(await ask(files({ checkpoint: fresh.frame.checkpoint }))).toMatchObject({ verdict: 'accepted', serial: 8 });
    const changed = await published(9, 0, { cohorts: fleet.cohorts.map((cohort) => ({ ...cohort, serial: 9 })) });
    expect(await ask(files({ checkpoint: changed.frame.checkpoint }))).toEqual(refused('cohort.proof'));
  });

  it('says what is missing when there is nothing to take it from', async () => {
    const { frame } = await published(7);
    for (const parts of [files({ bundle: '{}' }), files({ frame: JSON.stringify(frame) })])
      await expect(ask(parts)).rejects.toMatchObject({ code: 'verify.incomplete' });
  });

  it('judges what is stored as a start of the daemon does', async () => {
    expect(await ask(new Map(), { receipt: false })).toEqual(refused('state.missing'));
    store(await published(7), { epoch: 3, serial: 7, member: 7 });
    const load = (now: Date): Promise<Verdict> => ask(new Map(), { now, receipt: false });
    expect([await load(NOW), await load(after(3_600_000)), await load(after(2 * DAY))].map(({ freshness }) => freshness)).toEqual([
      'current',
      'stale',
      'expired',
    ]);
    createSlots(folder).remember({ epoch: 3, serial: 7, member: 7, seen: after(2 * DAY).getTime() });
    expect(await load(NOW)).toMatchObject({ verdict: 'accepted', freshness: 'expired' });
    fs.writeFileSync(path.join(folder, 'ratchet.json'), '{"epoch":3,"serial":9,"member":9}');
    expect(await load(NOW)).toEqual(refused('checkpoint.rollback'));
    fs.writeFileSync(path.join(folder, 'ratchet.json'), '{');
    expect(await load(NOW)).toEqual(refused('state.ratchet-damaged'));
  });

  it('holds what comes against the ratchet, and against the time', async () => {
    fs.writeFileSync(path.join(folder, 'ratchet.json'), '{"epoch":3,"serial":8,"member":8}');
    expect(await ask(partsOf(await published(7)))).toEqual(refused('checkpoint.rollback'));
    expect(await ask(partsOf(await published(8)))).toMatchObject({ verdict: 'accepted' });
    expect(await ask(partsOf(await published(8)), { now: after(3_600_000) })).toEqual(refused('checkpoint.expired'));
    expect(await ask(partsOf(await published(8)), { now: after(3_600_000), receipt: false })).toMatchObject({ freshness: 'stale' });
    expect(await ask(partsOf(await published(8)), { now: after(-3_600_000) })).toEqual(refused('checkpoint.future'));
    expect(await ask(partsOf(await published(9, 0, {}, { checkpointKey: keyNamed('thief') })))).toEqual(refused('jws.key'));
  });

  it('writes nothing, whatever it says', async () => {
    store(await published(7), { epoch: 3, serial: 6, member: 6 });
    const before = [filesOf(folder), fs.readdirSync(folder).map((name) => fs.statSync(path.join(folder, name)).mtimeMs)];
    await ask(partsOf(await published(8)));
    await ask(partsOf(await published(5)));
    for (const receipt of [true, false]) await ask(new Map(), { now: after(2 * DAY), receipt });
    expect([filesOf(folder), fs.readdirSync(folder).map((name) => fs.statSync(path.join(folder, name)).mtimeMs)]).toEqual(before);
  });

  it.each([
    [[], 'cli.usage'],
    [['--state', '/nonexistent'], 'enroll.missing'],
    [['--state', '/nonexistent', '--load', '--receipt'], 'cli.usage'],
    [['--state', '/nonexistent', '--now', 'noon'], 'cli.usage'],
    [['--state', '/nonexistent', '--now', '2026-13-01T00:00:00Z'], 'cli.usage'],
    [['--state', '/nonexistent', '--bundle', '/nonexistent/b'], 'verify.file'],
    [['--state', '/nonexistent', '--frobnicate', 'x'], 'cli.usage'],
  ])('with %j judges nothing', async (args, code) => {
    await expect(verifyCommand(args)).rejects.toMatchObject({ code });
  });
});
