/** Grants, retirements and the count of hellos on a device's own files: what each order does, and everything that it must not do. */
import fs from 'node:fs';
import path from 'node:path';
import { Compile } from 'typebox/compile';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import { Integrity, type OrderKind, type OrderReply } from '@cordon/policy/protocol/orders.ts';
import { after, DAY, keyNamed, keysFor } from '@cordon/policy/trust/_world.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import { verifyRetired } from '@cordon/policy/trust/orders.ts';
import { enrollment, filesOf, makeFolder, putFiles, removeFolder, world } from '../policy-state/_device.ts';
import { createTrustedTime, type TrustedTime } from '../policy-state/trusted-time.ts';
import { contextOf, openStanding, type Standing } from './standing.ts';
import { finishRetirement, lastWordIn, wipe } from './retire.ts';

const HOUR = 3_600_000;
const BOOT = '11111111-2222-4333-8444-555555555555';
const OTHER_BOOT = '99999999-2222-4333-8444-555555555555';
const key = keyNamed('device key');
const approver = keysFor(world.org, 'approver').slice(0, 1);
const NOW = after(0);
const RATCHET = { epoch: 3, serial: 7, member: 7 };

let folder: string;
let [elapsed, boot]: [number, string | null] = [0, BOOT];
let events: NewEvent[];
let time: TrustedTime;
beforeEach(() => {
  folder = makeFolder();
  [elapsed, boot, events] = [5 * HOUR, BOOT, []];
  time = createTrustedTime(() => elapsed);
});
afterEach(() => removeFolder(folder));

/** A daemon that starts. `lived` of trusted time is what its policy state remembers. */
const begin = (now = NOW): Promise<Standing> =>
  openStanding(
    {
      stateDir: folder,
      assurance: 'system',
      key: () => key,
      trusted: () => enrollment,
      time: (at) => time.inForce(at),
      accepted: () => RATCHET,
      report: (event) => void events.push(event),
      log: () => undefined,
      boot,
      elapsed: () => elapsed,
    },
    now,
  );
const common = { org: world.org, device: enrollment.device, epoch: 3, issuedAt: after(0).toISOString() };
const grantText = (hours = 2, change: object = {}, keys = approver): Promise<string> =>
  signGeneral(
    { format: 'cordon-maintenance/1', ...common, expiresAt: after(hours * HOUR).toISOString(), boot: BOOT, ...change },
    'cordon-maintenance+jws',
    keys,
  );
const retirementText = (change: object = {}, keys = approver): Promise<string> =>
  signGeneral({ format: 'cordon-retirement/1', ...common, expiresAt: after(DAY).toISOString(), ...change }, 'cordon-retirement+jws', keys);
const order = (standing: Standing, kind: OrderKind, text: string, now = NOW): Promise<OrderReply> =>
  standing.onOrder({ type: 'order', order: kind, text }, now);
const codes = (): (string | undefined)[] =>
  events.map((event) => ('code' in event ? event.code : undefined)).filter((code) => code !== undefined);
const afters = (): unknown[] => events.flatMap((event) => (event.kind === 'daemon' && event.state === 'started' ? [event.after] : []));

describe('a maintenance grant', () => {
  it('is in force until its end, and says when it begins and ends', async () => {
    const standing = await begin();
    const text = await grantText();
    expect(await order(standing, 'maintenance', text)).toEqual({ type: 'order.reply', digest: sha256Hex(text), accepted: true });
    expect(standing.maintenance(after(HOUR))).toEqual(after(2 * HOUR));
    expect(await order(standing, 'maintenance', text, after(HOUR))).toMatchObject({ accepted: true });
    expect(standing.maintenance(after(2 * HOUR - 1))).toEqual(after(2 * HOUR));
    standing.tend(after(HOUR));
    expect(standing.maintenance(after(2 * HOUR))).toBeUndefined();
    standing.tend(after(2 * HOUR));
    standing.tend(after(2 * HOUR));
    expect(codes()).toEqual(['maintenance.begun', 'maintenance.ended']);
  });

  it.each<readonly [what: string, code: string, change: object, keys: typeof approver | undefined]>([
    ['for another device', 'maintenance.device', { device: 'dev_1' }, undefined],
    ['for another boot', 'maintenance.boot', { boot: OTHER_BOOT }, undefined],
    ['of nine hours', 'maintenance.lifetime', { expiresAt: after(9 * HOUR).toISOString() }, undefined],
    ['that is over', 'maintenance.expired', { issuedAt: after(-HOUR).toISOString(), expiresAt: after(-1).toISOString() }, undefined],
    ['of another epoch', 'maintenance.epoch', { epoch: 2 }, undefined],
    ['by a stranger', 'maintenance.threshold', {}, [keyNamed('thief')]],
    ['by the online policy key', 'maintenance.threshold', {}, keysFor(world.org, 'policy').slice(0, 1)],
  ])('%s is refused and reported, and changes nothing', async (_what, code, change, keys) => {
    const standing = await begin();
    const before = filesOf(folder);
    expect(await order(standing, 'maintenance', await grantText(2, change, keys))).toMatchObject({ accepted: false, code });
    expect([standing.maintenance(NOW), codes(), filesOf(folder)]).toEqual([undefined, [code], before]);
  });

  it('is no longer by a clock that is set back, by suspend, or by starting again and again', async () => {
    const standing = await begin();
    await order(standing, 'maintenance', await grantText());
    elapsed += HOUR;
    // The clock says that it has just come; the machine has counted an hour, in which it may have slept.
    expect(standing.maintenance(after(-DAY))).toEqual(after(2 * HOUR));
    for (let i = 0; i < 4; i += 1) {
      elapsed += HOUR / 2;
      // Another process knows only the clock, and what is on disk.
      time = createTrustedTime(() => elapsed);
      const again = await begin(after(0));
      expect([i, again.maintenance(after(0)) !== undefined]).toEqual([i, i === 0]);
    }
  });

  it('does not outlive a clock that was set forward either', async () => {
    const standing = await begin();
    await order(standing, 'maintenance', await grantText());
    expect(standing.maintenance(after(3 * HOUR))).toBeUndefined();
    expect(standing.maintenance(after(HOUR))).toBeUndefined();
  });

  it('ends with the boot of the machine, and cannot be replayed after it', async () => {
    const text = await grantText();
    await order(await begin(), 'maintenance', text);
    [boot, elapsed] = [OTHER_BOOT, 1000];
    time = createTrustedTime(() => elapsed);
    const standing = await begin(after(60_000));
    expect([standing.maintenance(after(60_000)), fs.existsSync(path.join(folder, 'maintenance.json'))]).toEqual([undefined, false]);
    expect(await order(standing, 'maintenance', text, after(60_000))).toMatchObject({ accepted: false, code: 'maintenance.boot' });
    expect(afters()).toEqual(['nothing-before', 'reboot']);
  });

  it('fits no machine that does not name its boots', async () => {
    boot = null;
    expect(await order(await begin(), 'maintenance', await grantText())).toMatchObject({ accepted: false, code: 'maintenance.boot' });
  });

  it('makes a stop no tampering for as long as it lasts', async () => {
    const standing = await begin();
    await order(standing, 'maintenance', await grantText());
    standing.close();
    await begin(after(HOUR));
    elapsed += 3 * HOUR;
    await begin(after(3 * HOUR));
    expect(afters()).toEqual(['nothing-before', 'maintenance', 'crash']);
  });

  it('of which any byte was changed on disk does not count, and is told', async () => {
    await order(await begin(), 'maintenance', await grantText());
    const files = filesOf(folder);
    const bytes = files.get('maintenance.json') ?? Buffer.of();
    expect(bytes.length).toBeGreaterThan(200);
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      putFiles(folder, new Map([...files, ['maintenance.json', changed]]));
      events = [];
      expect([at, (await begin()).maintenance(NOW), codes()]).toEqual([at, undefined, ['maintenance.damaged']]);
    }
  });
});

describe('a retirement', () => {
  const seeded = (): void => {
    for (const name of ['device-key', 'ratchet.json', 'state-a.json']) fs.writeFileSync(path.join(folder, name), name);
    fs.mkdirSync(path.join(folder, 'spool'));
    fs.writeFileSync(path.join(folder, 'spool', 'one'), 'x');
    fs.writeFileSync(path.join(folder, 'enrollment.json'), '{}');
  };

  it('is obeyed: the last word is signed by the device, and nothing else stays', async () => {
    seeded();
    const standing = await begin();
    const text = await retirementText();
    const reply = await order(standing, 'retirement', text);
    expect([reply.accepted, standing.isRetired()]).toEqual([true, true]);
    expect(await verifyRetired(reply.proof ?? '', key.jwk, world.org, enrollment.device, text)).toMatchObject({
      device: enrollment.device,
    });
    // The key is there until the last word has been said.
    expect(fs.existsSync(path.join(folder, 'device-key'))).toBe(true);
    wipe(folder);
    expect(fs.readdirSync(folder)).toEqual(['retired.json']);
    expect(lastWordIn(folder).read()).toMatchObject({ device: enrollment.device, proof: reply.proof });
  });

  it.each<readonly [what: string, code: string, change: object, keys: typeof approver | undefined]>([
    ['of another device', 'retirement.device', { device: 'dev_1' }, undefined],
    ['of another organisation', 'retirement.org', { org: 'org_b' }, undefined],
    ['of another epoch', 'retirement.epoch', { epoch: 2 }, undefined],
    ['that is over', 'retirement.expired', { issuedAt: after(-HOUR).toISOString(), expiresAt: after(-1).toISOString() }, undefined],
    ['that would wait for two months', 'retirement.lifetime', { expiresAt: after(60 * DAY).toISOString() }, undefined],
    ['by the online policy key', 'retirement.threshold', {}, keysFor(world.org, 'policy').slice(0, 1)],
    ['by the online checkpoint key', 'retirement.threshold', {}, keysFor(world.org, 'checkpoint').slice(0, 1)],
    ['by a root key', 'retirement.threshold', {}, keysFor(world.org, 'root').slice(0, 1)],
  ])('%s ends nothing and is reported', async (_what, code, change, keys) => {
    seeded();
    const standing = await begin();
    const before = filesOf(path.join(folder, 'spool'));
    expect(await order(standing, 'retirement', await retirementText(change, keys))).toMatchObject({ accepted: false, code });
    expect([standing.isRetired(), codes()]).toEqual([false, [code]]);
    expect(fs.existsSync(path.join(folder, 'retired.json'))).toBe(false);
    expect(filesOf(path.join(folder, 'spool'))).toEqual(before);
  });

  it.each(['nothing yet', 'the key', 'all but the enrollment'])(
    'that was cut off when %s was removed goes on at the next start',
    async (removed) => {
      seeded();
      await order(await begin(), 'retirement', await retirementText());
      if (removed === 'the key') fs.rmSync(path.join(folder, 'device-key'));
      if (removed === 'all but the enrollment')
        for (const name of fs.readdirSync(folder).filter((entry) => !['enrollment.json', 'retired.json'].includes(entry)))
          fs.rmSync(path.join(folder, name), { recursive: true });
      const word = await finishRetirement(folder, (at) => contextOf(enrollment, at));
      expect([word?.device, fs.readdirSync(folder)]).toEqual([enrollment.device, ['retired.json']]);
    },
  );

  it('that somebody put there ends nothing', async () => {
    seeded();
    const planted = [
      await retirementText({}, [keyNamed('thief')]),
      await retirementText({ device: 'dev_1' }),
      await grantText(),
      'not even signed',
    ];
    for (const retirement of planted) {
      lastWordIn(folder).write({ org: world.org, device: enrollment.device, at: NOW.toISOString(), retirement, proof: 'a.b.c' });
      expect(await finishRetirement(folder, (at) => contextOf(enrollment, at))).toBeUndefined();
      expect(fs.readdirSync(folder)).toContain('device-key');
    }
    fs.writeFileSync(path.join(folder, 'retired.json'), '{}');
    expect(await finishRetirement(folder, (at) => contextOf(enrollment, at))).toBeUndefined();
  });
});

describe('what a hello says of the state', () => {
  it('has one name for as long as the state is there, and a number that grows, over restarts too', async () => {
    const first = await begin();
    const said = [first.hello(), first.hello()];
    first.close();
    const second = await begin();
    said.push(second.hello());
    expect(said.map(({ counter, first: from, stored }) => [counter, from, stored])).toEqual([
      [1, 1, true],
      [2, 1, true],
      [3, 3, true],
    ]);
    expect(new Set(said.map(({ state }) => state)).size).toBe(1);
    // It is what the protocol knows, and nothing more.
    for (const one of said) expect(Compile(Integrity).Check(one)).toBe(true);
    expect(said[2]).toMatchObject({ accepted: { epoch: 3, serial: 7 }, assurance: 'system', machineBoot: BOOT, after: 'stop' });
    expect(events.filter(({ kind }) => kind === 'daemon')).toEqual([
      { kind: 'daemon', state: 'started', assurance: 'system', after: 'nothing-before' },
      { kind: 'daemon', state: 'started', assurance: 'system', after: 'stop' },
    ]);
  });

  it('tells an end in order from one without a word, and both from a reboot', async () => {
    (await begin()).close();
    await begin();
    await begin();
    boot = OTHER_BOOT;
    await begin();
    expect(afters()).toEqual(['nothing-before', 'stop', 'crash', 'reboot']);
  });

  it('has another name when the state was deleted or damaged', async () => {
    const before = (await begin()).hello();
    fs.rmSync(path.join(folder, 'integrity.json'));
    const deleted = (await begin()).hello();
    fs.writeFileSync(path.join(folder, 'integrity.json'), '{"state":');
    const damaged = (await begin()).hello();
    expect(new Set([before, deleted, damaged].map(({ state }) => state)).size).toBe(3);
    expect(deleted).toMatchObject({ counter: 1, after: 'nothing-before' });
    expect(codes()).toEqual(['state.integrity-damaged']);
  });

  it('has an old number when an older copy was put back', async () => {
    const standing = await begin();
    standing.hello();
    const files = filesOf(folder);
    for (let i = 0; i < 3; i += 1) standing.hello();
    putFiles(folder, files);
    expect((await begin()).hello().counter).toBe(2);
  });

  it('does not pretend to have counted what it could not store', async () => {
    const standing = await begin();
    standing.hello();
    fs.symlinkSync('/dev/full', path.join(folder, 'integrity.json.next'));
    expect(standing.hello()).toMatchObject({ counter: 1, stored: false });
    fs.rmSync(path.join(folder, 'integrity.json.next'), { force: true });
    expect(standing.hello()).toMatchObject({ counter: 2, stored: true });
  });
});
