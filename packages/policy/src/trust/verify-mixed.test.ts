/** A law of `verifyState`: whatever honest parts a hostile server puts together, only what was published for the device passes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { codeOf } from './_refusal.ts';
import { after, contentOf, createWorld, stateFor, type Fleet } from './_world.ts';
import { bundleBytes } from './bundle.ts';
import { sha256Hex } from './digest.ts';
import { verifyState, type StateInput } from './verify.ts';

const world = await createWorld('org_a');
const minute = (n: number): Date => after(n * 60_000);
const [lax, strict, stricter] = [contentOf(['pol_c', 4, '/srv']), contentOf(['pol_a', 2, '/srv/a']), contentOf(['pol_a', 3, '/srv/a/b'])];
const fleet = (serial: number, contents: readonly (typeof lax)[], changedAt: readonly number[], cohorts: readonly number[]): Fleet => ({
  serial,
  at: minute(serial),
  cohorts: contents.map((content, i) => ({ id: `coh_${i}`, serial: changedAt[i] ?? 0, content })),
  devices: cohorts.map((cohort, index) => ({ id: `dev_${index}`, cohort })),
});
/** The strict cohort is tightened, a device moves, the content comes back, a cohort is added. */
const HISTORY: readonly Fleet[] = [
  fleet(1, [lax, strict], [1, 1], [0, 1, 1]),
  fleet(2, [lax, stricter], [1, 2], [0, 1, 1]),
  fleet(3, [lax, stricter], [1, 2], [1, 1, 1]),
  fleet(4, [lax, strict], [1, 4], [1, 1, 0]),
  fleet(5, [lax, strict, stricter], [1, 4, 5], [2, 1, 0]),
];
const NOW = minute(6);
const DEVICES = 3;
const everything = await Promise.all(
  HISTORY.map((published) => Promise.all(Array.from({ length: DEVICES }, (_, device) => stateFor(world, published, device)))),
);
const pick = fc.record({ published: fc.nat(HISTORY.length - 1), device: fc.nat(DEVICES - 1) });

const partOf = ({ published, device }: { readonly published: number; readonly device: number }): StateInput => {
  const part = everything[published]?.[device];
  if (part === undefined) throw new Error(`nothing was published as ${published} for device ${device}`);
  return part;
};
const digestIn = (published: number, cohort: string): string | undefined => {
  const found = HISTORY[published]?.cohorts.find(({ id }) => id === cohort);
  return found && sha256Hex(bundleBytes(found.content));
};
const cohortIn = (published: number, device: number): string | undefined => {
  const fleetThen = HISTORY[published];
  return fleetThen?.cohorts[fleetThen.devices[device]?.cohort ?? -1]?.id;
};

describe('whatever honest parts are put together', { timeout: LAW_TIMEOUT_MS }, () => {
  it('a state that is accepted is what its checkpoint published for the cohort that its membership names, and nothing older than the ratchet', async () => {
    let accepted = 0;
    /** Mostly one publish, so that a good share fits together; each part may be of another. */
    const mixed = fc.tuple(
      pick,
      fc.array(fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: pick }), { minLength: 6, maxLength: 6 }),
    );
    await fc.assert(
      fc.asyncProperty(mixed, fc.nat(DEVICES - 1), fc.nat(5), fc.nat(5), async ([base, parts], device, serial, memberSerial) => {
        const [checkpoint = base, cohort = base, manifest = base, bundle = base, membershipCheckpoint = base, member = base] = parts.map(
          (part) => part ?? base,
        );
        const input: StateInput = {
          ...partOf({ published: 0, device }),
          frame: {
            type: 'state',
            checkpoint: partOf(checkpoint).frame.checkpoint,
            cohort: partOf(cohort).frame.cohort,
            manifest: partOf(manifest).frame.manifest,
            bundle: partOf(bundle).frame.bundle,
          },
          membership: {
            type: 'membership',
            checkpoint: partOf(membershipCheckpoint).membership.checkpoint,
            member: partOf(member).membership.member,
          },
          ratchet: { epoch: world.root.epoch, serial, member: memberSerial },
          now: NOW,
        };
        const [stateSerial, membershipSerial] = [checkpoint.published + 1, membershipCheckpoint.published + 1];
        const outcome = await codeOf(async () => {
          const state = await verifyState(input);
          accepted += 1;
          const home = cohortIn(membershipCheckpoint.published, device);
          expect(state.cohort).toBe(home);
          expect(state.digest).toBe(digestIn(checkpoint.published, home ?? ''));
          expect(sha256Hex(bundleBytes(state.content))).toBe(state.digest);
          expect(state.ratchet).toEqual({ epoch: world.root.epoch, serial: stateSerial, member: membershipSerial });
          expect([stateSerial >= serial, membershipSerial >= memberSerial]).toEqual([true, true]);
        });
        const whole =
          base.device === device && parts.every((part) => part === null) && stateSerial >= serial && membershipSerial >= memberSerial;
        if (whole) expect(outcome).toBe('accepted');
        else if (outcome !== 'accepted')
          expect(outcome).toMatch(
            /^(?:checkpoint\.rollback|member\.(?:identity|proof)|cohort\.(?:identity|proof|serial)|manifest\.digest|bundle\.digest)$/,
          );
      }),
      { numRuns: LAW_RUNS * 3 },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  it('whatever order honest states arrive in, what is in force only moves forward', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { minLength: 1, maxLength: 6 }),
        fc.nat(DEVICES - 1),
        async (deliveries, device) => {
          let ratchet = { epoch: 0, serial: 0, member: 0 };
          for (const [published, joined] of deliveries) {
            const offered = {
              ...partOf({ published, device }),
              membership: partOf({ published: joined, device }).membership,
              ratchet,
              now: NOW,
            };
            const outcome = await codeOf(async () => {
              const state = await verifyState(offered);
              expect(state.ratchet.serial).toBeGreaterThanOrEqual(ratchet.serial);
              expect(state.ratchet.member).toBeGreaterThanOrEqual(ratchet.member);
              ratchet = state.ratchet;
            });
            expect(outcome).toMatch(/^(?:accepted|checkpoint\.rollback|cohort\.identity)$/);
          }
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });
});
