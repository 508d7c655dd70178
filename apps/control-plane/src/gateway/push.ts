/** Desired state to sockets: one buffer to a whole cohort; a device's own proof only when it is new to it. */
import { EMPTY_BUNDLE } from '../publishing/bundles.ts';
import type { Advance, Published } from '../publishing/published.ts';
import { downFrame, StateFrames } from './frames.ts';
import type { SessionHub } from './hub.ts';
import type { Session } from './session.ts';

/** Renewals are not urgent: so many devices, then a pause, so that publishes and handshakes go first. */
const RENEW_CHUNK = 250;
const RENEW_PAUSE_MS = 50;

export class Push {
  readonly #published: Published;
  readonly #hub: SessionHub;
  readonly #frames: StateFrames;
  readonly #behind = new Set<Session>();
  readonly #onNothing: (device: string) => void;

  /** @param onNothing told of a connected device that gets nothing: not placed yet, revoked (perhaps through another replica), quarantined, or without a policy */
  constructor(published: Published, hub: SessionHub, onNothing: (device: string) => void) {
    this.#published = published;
    this.#hub = hub;
    this.#onNothing = onNothing;
    this.#frames = new StateFrames(published);
  }

  /**
   * Makes one device current: state, then its proof, under the same checkpoint. The bundle's bytes go along unless the device enforces them.
   * Call it where trees and checkpoint agree (Published.read).
   */
  makeCurrent(session: Session): void {
    const cohort = this.#published.devices.get(session.device)?.cohort;
    this.#hub.move(session, cohort);
    const digest = cohort === undefined ? undefined : this.#published.cohorts.get(cohort)?.digest;
    if (cohort === undefined || digest === undefined) return this.#onNothing(session.device);
    if (!this.#published.isWitnessed) return this.#wait(session);
    const state = this.#frames.of(cohort, session.held !== digest, session.inflates);
    const membership = this.#published.membershipFrame(session.device);
    if (state === undefined || membership === undefined || this.#isSlow(session)) return;
    session.write(state);
    session.write(downFrame(membership));
    if (digest === EMPTY_BUNDLE) this.#onNothing(session.device);
  }

  /** Called when something new is in force, at a moment when trees and checkpoint agree. */
  advance({ cohorts, devices, renewed }: Advance): void {
    for (const cohort of cohorts) {
      for (const session of this.#hub.members(cohort)) {
        const frame = this.#frames.of(cohort, true, session.inflates);
        if (frame !== undefined && !devices.has(session.device) && !this.#isSlow(session)) session.write(frame);
      }
    }
    for (const device of devices) {
      const session = this.#hub.of(device);
      if (session?.greeted === true) this.makeCurrent(session);
    }
    if (renewed) this.#renew([...this.#hub.sessions()]);
  }

  /** Gives those that were slow the newest state, once their socket has drained. */
  async catchUp(): Promise<void> {
    if (this.#behind.size > 0 && this.#published.isWitnessed) await this.#published.read(() => this.#catchUp());
  }

  #catchUp(): void {
    for (const session of this.#behind) {
      if (session.open && session.socket.writableLength > 0) continue;
      this.#behind.delete(session);
      session.behind = false;
      if (session.open && session.greeted) this.makeCurrent(session);
    }
  }

  #isSlow(session: Session): boolean {
    if (session.socket.writableLength === 0) return false;
    this.#wait(session);
    return true;
  }

  #wait(session: Session): void {
    session.behind = true;
    this.#behind.add(session);
  }

  #renew(waiting: Session[]): void {
    for (const session of waiting.splice(0, RENEW_CHUNK)) if (session.open && session.greeted) this.makeCurrent(session);
    if (waiting.length === 0) return;
    setTimeout(() => void this.#published.read(() => this.#renew(waiting)), RENEW_PAUSE_MS).unref();
  }
}
