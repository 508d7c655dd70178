/**
 * Whatever a control plane, a network, a clock, a disk and a person do to a device, in whatever order: it enforces only what was signed for it, never goes back,
 * never grows younger, launches nothing when it has nothing, and heals. What must be true is in `_model-device.ts`.
 */
import fc from 'fast-check';
import fs from 'node:fs';
import path from 'node:path';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import type { Halves } from './_device.ts';
import { Device } from './_model-device.ts';
import { FORGED, KINDS, MINUTE } from './_model-server.ts';
import { FLAWS } from './_model-standing.ts';

const [State, Membership] = [Compile(StateFrame), Compile(MembershipFrame)];
const DAY = 24 * 60 * MINUTE;
type Command = fc.AsyncCommand<object, Device>;
const command = (name: string, run: (device: Device) => void | Promise<void>): Command => ({
  check: () => true,
  toString: () => name,
  run: async (_model, device) => {
    await run(device);
    device.look();
    device.standing.look();
  },
});

const WAYS = ['both', 'membership first', 'state only', 'membership only', 'twice', 'without bytes'] as const;
const deliver = async (device: Device, { frame, membership }: Halves, way: (typeof WAYS)[number]): Promise<void> => {
  const state = async (bundle = frame.bundle): Promise<unknown> =>
    device.receive((policy, now) => policy.onState({ ...frame, bundle }, now));
  const member = async (): Promise<unknown> => device.receive((policy, now) => policy.onMembership(membership, now));
  const steps = {
    both: [state, member],
    'membership first': [member, state],
    'state only': [state],
    'membership only': [member],
    twice: [state, member, state, member],
    'without bytes': [() => state(null), member],
  }[way];
  for (const step of steps) await step();
};
/** A frame that was published so many serials ago. */
const ago = (device: Device, back: number): number => Math.max(1, device.server.serial - back);

const way = fc.constantFrom(...WAYS);
const back = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(4) });
const part = fc.record({ back: fc.nat(4), device: fc.nat(1) });
const file = fc.constantFrom('ratchet.json', 'state-a.json', 'state-b.json', 'trial.json');
const times = fc.oneof(
  fc.integer({ min: 1, max: 30 }).map((n) => n * MINUTE),
  fc.constantFrom(2 * 60 * MINUTE, DAY, 2 * DAY, 40 * DAY),
);

const commands = [
  fc.record({ cohort: fc.nat(1), kind: fc.nat(KINDS - 1), back, way }).map(({ cohort, kind, ...sent }) =>
    command(`publish content ${kind} for cohort ${cohort}, deliver ${JSON.stringify(sent)}`, async (device) => {
      device.passed += MINUTE;
      device.server.publish(device.passed, { cohort, kind });
      await deliver(device, await device.server.frames(ago(device, sent.back)), sent.way);
    }),
  ),
  fc.nat(1).map((home) =>
    command(`move to cohort ${home}`, (device) => {
      device.passed += MINUTE;
      device.server.publish(device.passed, { home });
    }),
  ),
  fc.record({ raiseEpoch: fc.boolean(), send: fc.boolean(), way }).map(({ raiseEpoch, send, way: how }) =>
    command(
      `rotate the checkpoint key${raiseEpoch ? ' and raise the epoch' : ''}${send ? `, send it and deliver ${how}` : ''}`,
      async (device) => {
        device.passed += MINUTE;
        await device.server.rotate(raiseEpoch);
        device.server.publish(device.passed);
        if (!send) return;
        await device.followRoots(false);
        await deliver(device, await device.server.frames(device.server.serial), how);
      },
    ),
  ),
  fc
    .record({ forged: fc.boolean(), held: fc.option(fc.nat(3), { nil: undefined }) })
    .map(({ forged, held }) =>
      command(`send ${forged ? 'forged' : 'newer'} roots after ${held ?? 'those that are held'}`, async (device) =>
        device.followRoots(forged, held),
      ),
    ),
  way.map((how) =>
    command(`renew, deliver ${how}`, async (device) => {
      device.passed += 5 * MINUTE;
      device.server.publish(device.passed);
      await deliver(device, await device.server.frames(device.server.serial), how);
    }),
  ),
  fc
    .record({ back, way })
    .map((sent) =>
      command(`deliver ${JSON.stringify(sent)}`, async (device) =>
        deliver(device, await device.server.frames(ago(device, sent.back)), sent.way),
      ),
    ),
  fc.tuple(part, part, part, part, part, part, way).map(([a, b, c, d, e, f, how]) =>
    command(`deliver a mixture ${JSON.stringify([a, b, c, d, e, f, how])}`, async (device) => {
      const of = (p: typeof a): Promise<Halves> => device.server.frames(ago(device, p.back), p.device);
      const frame: StateFrame = {
        type: 'state',
        checkpoint: (await of(a)).frame.checkpoint,
        cohort: (await of(b)).frame.cohort,
        manifest: (await of(c)).frame.manifest,
        bundle: (await of(d)).frame.bundle,
      };
      const membership: MembershipFrame = {
        type: 'membership',
        checkpoint: (await of(e)).membership.checkpoint,
        member: (await of(f)).membership.member,
      };
      await deliver(device, { frame, membership }, how);
    }),
  ),
  fc
    .record({ how: fc.nat(FORGED - 1), back, way })
    .map(({ how, ...sent }) =>
      command(`deliver forgery ${how} ${JSON.stringify(sent)}`, async (device) =>
        deliver(device, await device.server.frames(ago(device, sent.back), 0, how), sent.way),
      ),
    ),
  fc.record({ at: fc.nat(), bit: fc.nat(6), way }).map(({ at, bit, way: how }) =>
    command(`deliver with bit ${bit} of character ${at} changed`, async (device) => {
      const text = JSON.stringify(await device.server.frames(device.server.serial));
      const i = at % text.length;
      const spoiled = text.slice(0, i) + String.fromCharCode(text.charCodeAt(i) ^ (1 << bit)) + text.slice(i + 1);
      let halves: { readonly frame?: unknown; readonly membership?: unknown };
      try {
        halves = JSON.parse(spoiled) as typeof halves;
      } catch {
        return; // not JSON any more: the channel ends there
      }
      const { frame, membership } = halves;
      if (State.Check(frame) && Membership.Check(membership)) await deliver(device, { frame, membership }, how);
    }),
  ),
  times.map((ms) => command(`${ms / MINUTE} minutes pass, and nothing is sent`, (device) => void (device.passed += ms))),
  fc
    .oneof(
      fc.constant(0),
      fc.integer({ min: -120, max: 120 }).map((n) => n * MINUTE),
      fc.integer({ min: -3650, max: 3650 }).map((n) => n * DAY),
    )
    .map((ms) => command(`the clock is ${ms / MINUTE} minutes off`, (device) => void (device.clockOffset = ms))),
  fc.constant(command('kill', (device) => device.restart())),
  fc.constant(
    command('end three times in a row', async (device) => {
      for (let i = 0; i < 3; i += 1) await device.restart();
    }),
  ),
  fc.constant(command('tend', (device) => device.tend())),
  fc.constant(
    command('reboot', async (device) => {
      device.passed += MINUTE;
      device.standing.reboot();
      await device.restart();
    }),
  ),
  fc
    .record({ flaw: fc.constantFrom(...FLAWS), hours: fc.integer({ min: 1, max: 8 }) })
    .map(({ flaw, hours }) =>
      command(`grant ${hours} hours of maintenance, wrong: ${flaw}`, async (device) => device.standing.grant(flaw, hours)),
    ),
  fc
    .constantFrom('key' as const, 'device' as const, 'lifetime' as const, 'epoch' as const)
    .map((flaw) => command(`retire, wrong: ${flaw}`, async (device) => device.standing.forgedRetirement(flaw))),
  fc.constant(command('copy the folder', (device) => device.copy())),
  fc.constant(command('restore the copy', (device) => device.restore())),
  fc
    .record({ name: file, at: fc.nat(), difference: fc.integer({ min: 1, max: 255 }), kill: fc.boolean() })
    .map(({ name, at, difference, kill }) =>
      command(`change byte ${at} of ${name} by ${difference}${kill ? ' and kill' : ''}`, async (device) => {
        const place = path.join(device.folder, name);
        if (!fs.existsSync(place)) return;
        const bytes = fs.readFileSync(place);
        if (bytes.length > 0) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ difference;
        fs.writeFileSync(place, bytes);
        if (kill) await device.restart();
      }),
    ),
  fc.record({ name: file, size: fc.nat(5000), kill: fc.boolean() }).map(({ name, size, kill }) =>
    command(`cut ${name} to ${size}${kill ? ' and kill' : ''}`, async (device) => {
      const place = path.join(device.folder, name);
      if (fs.existsSync(place) && fs.statSync(place).size > size) fs.truncateSync(place, size);
      if (kill) await device.restart();
    }),
  ),
  fc.record({ name: file, kill: fc.boolean() }).map(({ name, kill }) =>
    command(`delete ${name}${kill ? ' and kill' : ''}`, async (device) => {
      fs.rmSync(path.join(device.folder, name), { force: true });
      if (kill) await device.restart();
    }),
  ),
  fc.boolean().map((full) => command(full ? 'the disk fills up' : 'the disk has room', (device) => void (device.full = full))),
];

describe('the policy state of a device', { timeout: 60_000 + LAW_RUNS * 200 }, () => {
  it('holds to what must be true, whatever happens, and heals', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 24, size: 'max' }), async (list) => {
        const device = new Device();
        try {
          await device.restart();
          device.server.publish(0);
          await deliver(device, await device.server.frames(1), 'both');
          await fc.asyncModelRun(() => ({ model: {}, real: device }), list);
          // The clock is right again, the disk has room, and the control plane sends what the device lives with: that is in force, here and after a restart.
          [device.clockOffset, device.full] = [0, false];
          device.passed += MINUTE;
          device.server.publish(device.passed, device.bearable());
          await device.followRoots(false);
          await deliver(device, await device.server.frames(device.server.serial), 'twice');
          expect(device.look()).toMatchObject({ serial: device.server.serial, freshness: 'current' });
          await device.tend();
          await device.restart();
          expect(device.look()).toMatchObject({ serial: device.server.serial, freshness: 'current' });
          await device.standing.retire();
        } finally {
          device.remove();
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
