/** For the model test: a device with its folder, beside what must be true of it whatever happens. */
import { expect } from 'vitest';
import { CordonError } from '@cordon/policy/errors.ts';
import { after } from '@cordon/policy/trust/_world.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { effectiveFor, planFor } from '../runs/decide.ts';
import { enrollment, filesOf, makeFolder, openState, putFiles, removeFolder } from './_device.ts';
import { KINDS, MINUTE, Server } from './_model-server.ts';
import { StandingModel } from './_model-standing.ts';
import type { Outcome, PolicyState } from './policy-state.ts';
import { createSlots, type Slots } from './slots.ts';
import { TRIAL_MS, TRIAL_STARTS, trialBook, type TrialBook } from './trial.ts';

const AGES = ['current', 'stale', 'expired'] as const;
/** What the ratchet and the slots are kept in. */
const STATE_FILES: ReadonlySet<string> = new Set(['ratchet.json', 'state-a.json', 'state-b.json']);
const account = { name: 'nobody', uid: 65_534, gid: 65_534, home: '/nonexistent' };

/** What is in force, as far as the model speaks of it. */
interface InForce {
  readonly serial: number;
  readonly member: number;
  readonly digest: string;
  readonly cohort: string;
}
/** What the disk holds by the model: the state that a start gives back, how high its ratchet stands, and how old it is known to be. */
interface Disk {
  readonly state: InForce | undefined;
  readonly floor: number;
  readonly memberFloor: number;
  readonly age: number;
  /** What it is on trial with, and how many processes have used it. */
  readonly trial: { readonly digest: string; readonly starts: number } | undefined;
  /** Since when it is in force, and in which boot of the machine that was written down: as long as that lasts, no start begins anew. */
  readonly since: number;
  readonly boot: number;
}
const EMPTY: Disk = { state: undefined, floor: 0, memberFloor: 0, age: 0, trial: undefined, since: 0, boot: -1 };

const inForceOf = ({ ratchet, digest, cohort }: VerifiedState): InForce => ({
  serial: ratchet.serial,
  member: ratchet.member,
  digest,
  cohort,
});

const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
    return 'launches';
  } catch (error) {
    return error instanceof CordonError ? error.code : String(error);
  }
};

export class Device {
  readonly server = new Server();
  readonly folder = makeFolder();
  /** Milliseconds that have truly passed, and how far the device's clock is from them. */
  passed = 0;
  clockOffset = 0;
  full = false;
  /** What approvers order it, and what it says of its state. */
  readonly standing = new StandingModel(this);
  #state: PolicyState;
  #model: {
    inForce: InForce | undefined;
    floor: number;
    memberFloor: number;
    age: number;
    since: number;
    onDisk: boolean;
    /** What stands in the place of a state that ended the daemon too often is older than what was accepted. */
    fallen: boolean;
    /** What this process is on trial with, and since when. */
    trial: { readonly digest: string; readonly starts: number; readonly since: number; readonly written: boolean } | undefined;
  };
  /** Digest that is not taken any more. */
  #condemned: string | undefined;
  #disk = EMPTY;
  /** The enrollment on disk: which roots a start begins with. */
  #enrollment = enrollment;
  /** The files as the device wrote them last: what differs from it was done by someone else. */
  #written = new Map<string, Buffer>();
  #copy:
    | { readonly disk: Disk; readonly enrollment: Enrollment; readonly files: Map<string, Buffer>; readonly written: Map<string, Buffer> }
    | undefined;

  constructor() {
    this.#model = { inForce: undefined, floor: 0, memberFloor: 0, age: 0, since: 0, onDisk: true, fallen: false, trial: undefined };
    this.#state = this.#open();
  }

  get clock(): Date {
    return after(this.passed + this.clockOffset);
  }

  #open(): PolicyState {
    const slots = createSlots(this.folder);
    const noting = (write: () => void): void => {
      const before = filesOf(this.folder);
      write();
      const now = filesOf(this.folder);
      for (const [name, bytes] of now) if (before.get(name)?.equals(bytes) !== true) this.#written.set(name, bytes);
      for (const name of before.keys()) if (!now.has(name)) this.#written.delete(name);
    };
    const room = (): void => {
      if (this.full) throw new CordonError('state.disk-full', 'no space');
    };
    const wrapped: Slots = {
      ...slots,
      write: (state, ratchet, between) => (room(), noting(() => slots.write(state, ratchet, between))),
      remember: (ratchet) => (room(), noting(() => slots.remember(ratchet))),
      forgetOther: () => noting(slots.forgetOther),
      clear: () => noting(slots.clear),
    };
    const book = trialBook(this.folder);
    const trials: TrialBook = { ...book, write: (trial) => (room(), noting(() => book.write(trial))), remove: () => noting(book.remove) };
    return openState(this.folder, {
      enrollment: this.#enrollment,
      slots: wrapped,
      trials,
      elapsed: () => this.passed,
      boot: `boot-${this.standing.boots}`,
      keep: (newer) => (room(), void (this.#enrollment = newer)),
    });
  }

  /** Looks at what is in force, as a launch does, and holds it against everything that must be true. */
  look(): VerifiedState | undefined {
    const model = this.#model;
    const current = this.#state.current(this.clock);
    expect(current && inForceOf(current)).toEqual(model.inForce);
    const launch = codeOf(() => {
      const effective = effectiveFor(current, { agent: { id: 'unknown', proof: 'claimed' }, user: 'nobody', os: 'linux' }, '/', account);
      if (current?.freshness === 'expired') planFor(current, effective, '/', { installation: [] });
    });
    expect(launch).toBe(current === undefined ? 'launch.no-bundle' : current.freshness === 'expired' ? 'launch.expired' : 'launches');
    if (current === undefined || model.inForce === undefined) return undefined;
    const { digest, cohort, serial, member } = model.inForce;
    expect(this.server.said(digest, cohort, serial, member)).toBe(true);
    if (!model.fallen) expect([serial >= model.floor, member >= model.memberFloor]).toEqual([true, true]);
    const age = AGES.indexOf(current.freshness);
    // Never younger than it was, than the time that has passed since it came, or than a clock that is not behind says.
    const ageAfter = (ms: number): number => (ms < 15 * MINUTE ? 0 : ms < 15 * MINUTE + 24 * 60 * MINUTE ? 1 : 2);
    expect(age).toBeGreaterThanOrEqual(model.age);
    expect(age).toBeGreaterThanOrEqual(ageAfter(this.passed - model.since));
    const issued = Math.min(this.server.issuedAt(serial), this.server.issuedAt(member));
    if (this.clockOffset >= 0) expect(age).toBeGreaterThanOrEqual(ageAfter(after(this.passed).getTime() - issued));
    model.age = age;
    if (!this.full && this.#disk.age !== age) {
      this.#disk = model.onDisk
        ? { ...this.#disk, age }
        : { ...this.#disk, state: model.inForce, floor: model.floor, memberFloor: model.memberFloor, age };
      model.onDisk = true;
    }
    return current;
  }

  /** Gives the device a half, or both, and holds what it says of them against what it then does. */
  async receive(deliver: (state: PolicyState, clock: Date) => Promise<Outcome>): Promise<Outcome> {
    this.look();
    const [before, files] = [this.#model.inForce, filesOf(this.folder)];
    const outcome = await deliver(this.#state, this.clock);
    if (outcome.kind === 'refused') expect(outcome.code).toMatch(/^[a-z]+\.[a-z-]+$/);
    if (outcome.kind === 'accepted') this.#accepted(outcome, before);
    else if (outcome.kind === 'refused' && outcome.code === 'state.not-persisted') this.#waits(outcome.frame.cohort.leaf.digest);
    else expect(filesOf(this.folder)).toEqual(files);
    if (outcome.kind === 'refused' && outcome.code === 'state.crash-loop') expect(outcome.frame.cohort.leaf.digest).toBe(this.#condemned);
    this.look();
    return outcome;
  }

  /** It may give more than what is in force, and the disk takes nothing: what is in force stays. The state that nobody uses has made room. */
  #waits(digest: string): void {
    expect(this.full).toBe(true);
    const before = this.#model.inForce;
    expect(before === undefined || this.server.kindOf(digest) > this.server.kindOf(before.digest)).toBe(true);
  }

  /** What the daemon does now and then. */
  async tend(): Promise<void> {
    this.look();
    const before = this.#model.inForce;
    const outcome = await this.#state.tend(this.clock);
    const { trial } = this.#model;
    if (trial !== undefined && this.passed - trial.since >= TRIAL_MS) {
      this.#model.trial = undefined;
      this.#disk = { ...this.#disk, trial: undefined };
    } else if (trial !== undefined && !trial.written && !this.full) {
      this.#model.trial = { ...trial, written: true };
      this.#disk = { ...this.#disk, trial: { digest: trial.digest, starts: trial.starts } };
    }
    if (outcome?.kind === 'accepted') this.#accepted(outcome, before);
    this.look();
  }

  /** Newer roots: they change nothing that is in force, and those that their predecessors did not sign are refused. */
  async followRoots(forged: boolean, held = this.#state.trusted().roots.length): Promise<void> {
    const files = filesOf(this.folder);
    const right = !forged && held === this.#state.trusted().roots.length;
    const problem = await this.#state.onRoots(await this.server.roots(held, forged), this.clock);
    // Only a root that is over by this device's clock is refused of the right ones.
    if (right) expect([undefined, 'root.expired']).toContain(problem?.code);
    else expect(problem?.code).toMatch(/^roots?\.[a-z]+$/);
    expect(filesOf(this.folder)).toEqual(files);
    this.look();
  }

  #accepted({ state, replaced, persisted }: Extract<Outcome, { kind: 'accepted' }>, before: InForce | undefined): void {
    const model = this.#model;
    const now = inForceOf(state);
    expect([now.serial >= model.floor, now.member >= model.memberFloor]).toEqual([true, true]);
    expect(replaced).toBe(
      now.digest !== before?.digest || now.cohort !== before.cohort || state.epoch !== this.server.epochUnder(before.serial),
    );
    expect(persisted).toBe(!this.full);
    const isOther = now.digest !== before?.digest;
    // What cannot be stored gives nothing more than what was in force.
    if (!persisted && isOther) expect(this.server.kindOf(now.digest)).toBeLessThanOrEqual(this.server.kindOf(before?.digest ?? ''));
    expect(now.digest).not.toBe(this.#condemned);
    if (isOther) this.#condemned = undefined;
    const trial = isOther ? { digest: now.digest, starts: 1, since: this.passed, written: !this.full } : model.trial;
    // Of the roots that are believed, only the newest counts.
    for (const half of [now.serial, now.member]) expect(this.server.rootsUnder(half)).toBe(this.#state.trusted().roots.length);
    // Both halves were fresh when they came, by any clock that is not behind.
    if (this.clockOffset >= 0)
      for (const half of [now.serial, now.member])
        expect(after(this.passed).getTime() - this.server.issuedAt(half)).toBeLessThan(15 * MINUTE);
    const issued = (of: InForce): number => Math.min(this.server.issuedAt(of.serial), this.server.issuedAt(of.member));
    const younger = before === undefined || issued(now) > issued(before);
    this.#model = {
      inForce: now,
      floor: now.serial,
      memberFloor: now.member,
      age: younger ? 0 : model.age,
      since: younger ? this.passed : model.since,
      onDisk: persisted,
      fallen: false,
      trial,
    };
    const counted = isOther && !this.full ? { digest: now.digest, starts: 1 } : this.#disk.trial;
    if (persisted) {
      const { since } = this.#model;
      this.#disk = { state: now, floor: now.serial, memberFloor: now.member, age: 0, trial: counted, since, boot: this.standing.boots };
    }
    // The one before is void, and so is its trial, unless it says the same.
    else if (isOther) this.#disk = { ...this.#disk, state: undefined };
  }

  /** The process ends; another begins with what is on disk. */
  async restart(): Promise<void> {
    const files = filesOf(this.folder);
    const touched = [...new Set([...files.keys(), ...this.#written.keys()])].filter(
      (name) => files.get(name)?.equals(this.#written.get(name) ?? Buffer.of()) !== true,
    );
    this.#state = this.#open();
    const loaded = await this.#state.load(this.clock);
    const now = loaded && inForceOf(loaded);
    const disk = this.#disk;
    const ratchetTouched = touched.includes('ratchet.json');
    const crashLoop = this.#state.problems().some(({ code }) => code === 'state.crash-loop');
    // A count that was changed or removed begins anew.
    const trial = touched.includes('trial.json') || disk.trial?.digest !== disk.state?.digest ? undefined : disk.trial;
    const isOver = trial !== undefined && trial.starts >= TRIAL_STARTS;
    if (crashLoop) expect([isOver, ratchetTouched]).toEqual([true, false]);
    if (ratchetTouched) expect(now).toBe(undefined);
    else if (isOver && (crashLoop || touched.length === 0)) {
      // Three daemons ended with it: now nothing is in force, or what gives nothing more and was published for this device before.
      expect(crashLoop).toBe(true);
      if (now !== undefined) {
        expect(now.digest).not.toBe(trial.digest);
        expect(this.server.kindOf(now.digest)).toBeLessThanOrEqual(this.server.kindOf(trial.digest));
        expect(now.serial).toBeLessThanOrEqual(disk.floor);
      }
    } else if (touched.length > 0) expect([undefined, disk.state]).toContainEqual(now);
    else expect(now).toEqual(disk.state);
    // Whatever is missing is told, unless all of it is.
    if (now === undefined && disk.state !== undefined && [...files.keys()].some((name) => STATE_FILES.has(name)))
      expect(this.#state.problems()).not.toEqual([]);
    // Without its ratchet, the newest state that is whole still keeps out what is older.
    const floors = !ratchetTouched
      ? { floor: disk.floor, memberFloor: disk.memberFloor }
      : touched.length > 1
        ? { floor: 0, memberFloor: 0 }
        : { floor: disk.state?.serial ?? 0, memberFloor: disk.state?.member ?? 0 };
    const goesOn = trial !== undefined && !isOver && now?.digest === trial.digest;
    const counted = goesOn ? { ...trial, starts: trial.starts + 1 } : undefined;
    this.#condemned = crashLoop ? trial?.digest : undefined;
    this.#disk = { ...disk, trial: crashLoop ? trial : this.full && goesOn ? trial : counted };
    this.#model = {
      inForce: now,
      ...floors,
      age: disk.age,
      since: !ratchetTouched && disk.boot === this.standing.boots ? disk.since : this.passed,
      onDisk: true,
      fallen: crashLoop && now !== undefined,
      trial: counted && { ...counted, since: this.passed, written: true },
    };
    await this.standing.restart(this.#state, this.clock);
    this.look();
  }

  /** A change after which its cohort's policy is none that ended the daemon too often; nothing, if it is none now. */
  bearable(): { readonly cohort?: number; readonly kind?: number } {
    const { home, kind } = this.server.now;
    const condemned = this.#condemned === undefined ? undefined : this.server.kindOf(this.#condemned);
    return kind === condemned ? { cohort: home, kind: (kind + 1) % KINDS } : {};
  }

  copy(): void {
    this.#copy = { disk: this.#disk, enrollment: this.#enrollment, files: filesOf(this.folder), written: new Map(this.#written) };
  }

  /** An old copy of the folder, as a restored virtual machine has it: while the device is off. */
  async restore(): Promise<void> {
    if (this.#copy === undefined) return;
    putFiles(this.folder, this.#copy.files);
    [this.#disk, this.#enrollment, this.#written] = [this.#copy.disk, this.#copy.enrollment, new Map(this.#copy.written)];
    await this.restart();
  }

  remove(): void {
    this.standing.remove();
    removeFolder(this.folder);
  }
}
