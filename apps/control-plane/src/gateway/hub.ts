/** The sessions of this replica, by device and by cohort. */
import type { Hub } from '../context.ts';
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import type { Session } from './session.ts';

export class SessionHub implements Hub {
  readonly #devices = new Map<string, Session>();
  readonly #cohorts = new Map<string, Set<Session>>();
  /** Devices that came or went since they were last written down. */
  readonly #touched = new Set<string>();
  readonly #ungreeted = new Set<Session>();

  get connected(): number {
    return this.#devices.size;
  }

  sessions(): IterableIterator<Session> {
    return this.#devices.values();
  }

  /** Sessions that have not said hello yet. */
  *ungreeted(): Generator<Session> {
    for (const session of this.#ungreeted) {
      if (session.greeted) this.#ungreeted.delete(session);
      else yield session;
    }
  }

  /** How many are between upgrade and hello; those that have greeted since the last look are still counted. */
  get waiting(): number {
    return this.#ungreeted.size;
  }

  of(device: string): Session | undefined {
    return this.#devices.get(device);
  }

  members(cohort: string): ReadonlySet<Session> {
    return this.#cohorts.get(cohort) ?? new Set();
  }

  /** One session per device: the newest wins. */
  add(session: Session): void {
    const older = this.#devices.get(session.device);
    if (older !== undefined) {
      this.remove(older);
      older.close(CLOSE.replaced, 'channel.replaced');
    }
    this.#devices.set(session.device, session);
    this.#ungreeted.add(session);
    this.#touched.add(session.device);
  }

  remove(session: Session): void {
    this.move(session, undefined);
    this.#ungreeted.delete(session);
    if (this.#devices.get(session.device) !== session) return;
    this.#devices.delete(session.device);
    this.#touched.add(session.device);
  }

  move(session: Session, cohort: string | undefined): void {
    if (session.cohort === cohort) return;
    const before = session.cohort === undefined ? undefined : this.#cohorts.get(session.cohort);
    before?.delete(session);
    if (before?.size === 0 && session.cohort !== undefined) this.#cohorts.delete(session.cohort);
    session.cohort = cohort;
    if (cohort === undefined) return;
    const after = this.#cohorts.get(cohort) ?? new Set();
    this.#cohorts.set(cohort, after.add(session));
  }

  disconnect(device: string, code: number, reason: string): void {
    this.#devices.get(device)?.close(code, reason);
  }

  /** @returns devices that came or went since the last call */
  takeTouched(): string[] {
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }
}

export const createHub = (): SessionHub => new SessionHub();
