/** For tests: one device, what its control plane publishes for it, and folders for its state. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import { createWorld, FLEET, stateFor, type Fleet, type Forgery } from '@cordon/policy/trust/_world.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { createPolicyState, type Outcome, type PolicyState, type PolicyStateOptions } from './policy-state.ts';
import { createSlots } from './slots.ts';
import { trialBook } from './trial.ts';

export const world = await createWorld('org_state');
export const enrollment: Enrollment = {
  server: 'https://cordon.example',
  org: world.org,
  device: 'dev_0',
  memberIndex: 0,
  fingerprint: world.fingerprint,
  roots: [...world.roots],
  floor: world.floor,
};

export interface Halves {
  readonly frame: StateFrame;
  readonly membership: MembershipFrame;
}
/** What the device gets under a serial; `at` later than the first. */
export const published = (serial: number, change: Partial<Fleet> = {}, forgery: Forgery = {}): Promise<Halves> =>
  stateFor(world, { ...FLEET, serial, ...change }, 0, forgery);
/** The same device in its other cohort. */
export const MOVED: Partial<Fleet> = { devices: FLEET.devices.map((device, index) => (index === 0 ? { ...device, cohort: 1 } : device)) };

export const give = async (state: PolicyState, { frame, membership }: Halves, now: Date): Promise<Outcome[]> => [
  await state.onState(frame, now),
  await state.onMembership(membership, now),
];

/** In memory where there is such a place: a law writes thousands of times, and each write waits for the disk. */
const SHELF = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
export const makeFolder = (): string => fs.mkdtempSync(path.join(SHELF, 'cordon-state-'));
export const removeFolder = (folder: string): void => fs.rmSync(folder, { recursive: true, force: true });
/** Every file of a folder. */
export const filesOf = (folder: string): Map<string, Buffer> =>
  new Map(
    fs
      .readdirSync(folder)
      .sort()
      .map((name) => [name, fs.readFileSync(path.join(folder, name))]),
  );
/** Puts exactly these files into a folder. */
export const putFiles = (folder: string, files: ReadonlyMap<string, Buffer>): void => {
  for (const name of fs.readdirSync(folder)) fs.rmSync(path.join(folder, name), { recursive: true });
  for (const [name, bytes] of files) fs.writeFileSync(path.join(folder, name), bytes);
};

/** A device's policy state in a folder; nothing of it is loaded yet. */
export const openState = (folder: string, change: Partial<PolicyStateOptions> = {}): PolicyState =>
  createPolicyState({
    enrollment,
    slots: createSlots(folder),
    trials: trialBook(folder),
    version: '1',
    log: () => undefined,
    elapsed: () => 0,
    boot: 'boot-1',
    ...change,
  });
