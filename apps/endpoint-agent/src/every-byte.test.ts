/**
 * Every byte of every file of a daemon's state, one at a time, changed as someone with an editor or a failing disk would: what is enforced is what it was, or
 * nothing, and it is told with a code. A sample of them in the usual run, all of them in the nightly one.
 */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { after, FLEET, keysFor, type Fleet } from '@cordon/policy/trust/_world.ts';
import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import { loadDeviceKey, ensureDeviceKey } from './identity/device-key.ts';
import { requireEnrollment, saveEnrollment } from './identity/enrollment.ts';
import { openStanding } from './orders/standing.ts';
import {
  enrollment as shortNamed,
  filesOf,
  give,
  makeFolder,
  openState,
  published,
  putFiles,
  removeFolder,
  world,
} from './policy-state/_device.ts';
import { openHistory } from './policy-state/history.ts';

const NOW = after(60_000);
/** With an id of the length that real ones have: the enrollment's file takes no other. */
const enrollment = { ...shortNamed, device: `dev_${'A'.repeat(16)}` };
const inCohort = (cohort: number): Partial<Fleet> => ({
  devices: FLEET.devices.map((device, i) => (i === 0 ? { id: enrollment.device, cohort } : device)),
});
const BOOT = '11111111-2222-4333-8444-555555555555';
/** From here on a run is one of those that take a night. */
const NIGHTLY = 10_000;

let folder = '';
let files = new Map<string, Buffer>();
afterAll(() => removeFolder(folder));

/** Starts as the daemon does. @returns what is in force, how old it is, until when it is left alone, and every code that was told */
const start = async () => {
  const codes: string[] = [];
  try {
    const trusted = requireEnrollment(folder);
    loadDeviceKey(folder);
    const state = openState(folder, { enrollment: trusted });
    await state.load(NOW);
    codes.push(...state.problems().map(({ code }) => code));
    const standing = await openStanding(
      {
        stateDir: folder,
        assurance: 'system',
        key: () => loadDeviceKey(folder),
        trusted: state.trusted,
        time: state.time,
        accepted: state.accepted,
        report: (event) => void ('code' in event && event.code !== undefined && codes.push(event.code)),
        log: () => undefined,
        boot: BOOT,
        elapsed: () => 0,
      },
      NOW,
    );
    const history = openHistory({
      stateDir: folder,
      trusted: state.trusted,
      send: () => false,
      now: () => NOW,
      log: () => undefined,
      seen: [],
    });
    if (history.damaged) codes.push('history.damaged');
    const now = state.current(NOW);
    return { serial: now?.serial, digest: now?.digest, freshness: now?.freshness, maintenance: standing.maintenance(NOW), codes };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return { serial: undefined, digest: undefined, freshness: undefined, maintenance: undefined, codes: [error.code] };
  }
};

beforeAll(async () => {
  folder = makeFolder();
  saveEnrollment(folder, enrollment);
  const key = ensureDeviceKey(folder, NOW);
  const state = openState(folder, { enrollment });
  await give(state, await published(7, inCohort(1)), NOW);
  await give(state, await published(8, inCohort(0)), NOW);
  const seen = state.current(NOW)?.seen ?? [];
  openHistory({ stateDir: folder, trusted: state.trusted, send: () => false, now: () => NOW, log: () => undefined, seen }).observe(seen);
  const standing = await openStanding(
    {
      stateDir: folder,
      assurance: 'system',
      key: () => key,
      trusted: state.trusted,
      time: state.time,
      accepted: state.accepted,
      report: () => undefined,
      log: () => undefined,
      boot: BOOT,
      elapsed: () => 0,
    },
    NOW,
  );
  const grant = {
    format: 'cordon-maintenance/1',
    org: world.org,
    device: enrollment.device,
    epoch: 3,
    issuedAt: NOW.toISOString(),
    expiresAt: after(3_600_000).toISOString(),
    boot: BOOT,
  };
  const text = await signGeneral(grant, 'cordon-maintenance+jws', keysFor(world.org, 'approver').slice(0, 1));
  expect(await standing.onOrder({ type: 'order', order: 'maintenance', text }, NOW)).toMatchObject({ accepted: true });
  files = filesOf(folder);
});

it('a state that nobody touched tells nothing', async () => {
  putFiles(folder, files);
  expect([...files.keys()]).toEqual([
    'device-key',
    'enrollment.json',
    'history.json',
    'integrity.json',
    'maintenance.json',
    'ratchet.json',
    'state-a.json',
    'state-b.json',
    'trial.json',
  ]);
  for (const name of files.keys()) fs.chmodSync(path.join(folder, name), 0o600);
  const { codes, ...found } = await start();
  expect([codes, found]).toEqual([[], { serial: 8, digest: expect.any(String), freshness: 'current', maintenance: after(3_600_000) }]);
});

describe.each([
  'device-key',
  'enrollment.json',
  'integrity.json',
  'maintenance.json',
  'ratchet.json',
  'state-a.json',
  'state-b.json',
  'trial.json',
])('any changed byte of %s', (name) => {
  it('loosens nothing, and is told', { timeout: 60_000 + LAW_RUNS * 200 }, async () => {
    const bytes = files.get(name) ?? Buffer.of();
    const isAll = LAW_RUNS >= NIGHTLY;
    const step = isAll ? 1 : Math.max(1, Math.ceil(bytes.length / Math.min(bytes.length, LAW_RUNS / 4)));
    for (let at = 0; at < bytes.length; at += step) {
      // Every run of a sample begins elsewhere and changes other bits, every bit at some time.
      const place = isAll ? at : Math.min(bytes.length - 1, at + Math.floor(Math.random() * step));
      const difference = isAll ? 1 << (at % 8) : 1 + Math.floor(Math.random() * 255);
      const changed = Buffer.from(bytes);
      changed[place] = (changed[place] ?? 0) ^ difference;
      putFiles(folder, new Map([...files, [name, changed]]));
      for (const file of files.keys()) fs.chmodSync(path.join(folder, file), 0o600);
      const found = await start();
      const what = `byte ${place} of ${name} changed by ${difference}`;
      expect([undefined, 8], what).toContain(found.serial);
      expect([undefined, 'current', 'stale', 'expired'], what).toContain(found.freshness);
      expect([undefined, after(3_600_000).getTime()], what).toContain(found.maintenance?.getTime());
      expect(found.codes, what).not.toEqual([]);
      for (const code of found.codes) expect(code, what).toMatch(/^[a-z]+\.[a-z-]+$/);
    }
  });
});
