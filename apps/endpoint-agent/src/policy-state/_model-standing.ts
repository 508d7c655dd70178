/** For the model test: orders of approvers, honest and forged, beside a policy that they must not touch. */
import { expect } from 'vitest';
import type { OrderKind, OrderReply } from '@cordon/policy/protocol/orders.ts';
import { keyNamed, keysFor } from '@cordon/policy/trust/_world.ts';
import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import { verifyRetired } from '@cordon/policy/trust/orders.ts';
import { contextOf, openStanding, type Standing } from '../orders/standing.ts';
import { wipe } from '../orders/retire.ts';
import { enrollment, filesOf, makeFolder, removeFolder, world } from './_device.ts';
import type { PolicyState } from './policy-state.ts';

const HOUR = 3_600_000;
const key = keyNamed('device key');

/** What is wrong with an order, if anything. */
export const FLAWS = ['none', 'key', 'device', 'boot', 'lifetime', 'epoch'] as const;
export type Flaw = (typeof FLAWS)[number];

interface Machine {
  readonly passed: number;
  readonly clock: Date;
}

export class StandingModel {
  readonly #machine: Machine;
  /** Its own: what is in it is no part of the policy's state. */
  readonly #folder = makeFolder();
  #boots = 0;
  /** When the machine was switched on. */
  #bootedAt = 0;
  #standing: Standing | undefined;
  #state: PolicyState | undefined;
  /** By the machine's own time, the latest end of any grant that was taken in this boot. */
  #until = -Infinity;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  get boots(): number {
    return this.#boots;
  }

  get #boot(): string {
    return `${String(this.#boots).padStart(8, '0')}-0000-4000-8000-000000000000`;
  }

  async restart(state: PolicyState, now: Date): Promise<void> {
    this.#state = state;
    this.#standing = await openStanding(
      {
        stateDir: this.#folder,
        assurance: 'system',
        key: () => key,
        trusted: state.trusted,
        time: state.time,
        accepted: state.accepted,
        report: () => undefined,
        log: () => undefined,
        boot: this.#boot,
        elapsed: () => this.#machine.passed - this.#bootedAt,
      },
      now,
    );
    this.look();
  }

  /** The machine is switched off and on; whoever calls restarts the daemon too. */
  reboot(): void {
    this.#boots += 1;
    this.#bootedAt = this.#machine.passed;
    this.#until = -Infinity;
  }

  /** No clock, no restart and no replay makes a grant longer. */
  look(): void {
    const until = this.#standing?.maintenance(this.#machine.clock);
    if (until !== undefined) expect(this.#machine.passed).toBeLessThan(this.#until);
  }

  async #order(kind: OrderKind, flaw: Flaw, hours: number): Promise<{ readonly text: string; readonly reply: OrderReply }> {
    const [standing, state] = [this.#standing, this.#state];
    if (standing === undefined || state === undefined) return expect.fail('the daemon has not begun');
    const at = state.time(this.#machine.clock);
    const { root } = await contextOf(state.trusted(), at);
    const payload = {
      format: `cordon-${kind}/1`,
      org: world.org,
      device: flaw === 'device' ? 'dev_1' : enrollment.device,
      epoch: root.document.epoch + (flaw === 'epoch' ? 1 : 0),
      issuedAt: at.toISOString(),
      expiresAt: new Date(at.getTime() + (flaw === 'lifetime' ? 31 * 24 : hours) * HOUR).toISOString(),
      ...(kind === 'maintenance' && { boot: flaw === 'boot' ? `f${this.#boot.slice(1)}` : this.#boot }),
    };
    const signer = flaw === 'key' ? keysFor(world.org, 'policy')[0] : keysFor(world.org, 'approver')[0];
    const text = await signGeneral(payload, kind === 'maintenance' ? 'cordon-maintenance+jws' : 'cordon-retirement+jws', [signer ?? key]);
    return { text, reply: await standing.onOrder({ type: 'order', order: kind, text }, this.#machine.clock) };
  }

  async grant(flaw: Flaw, hours: number): Promise<void> {
    // A clock that says nothing that a signature could say, or that is beyond what one may say.
    const year = this.#state?.time(this.#machine.clock).getUTCFullYear() ?? 0;
    if (year > 9000) return;
    const { reply } = await this.#order('maintenance', flaw, hours);
    expect(reply.accepted).toBe(flaw === 'none');
    if (flaw === 'none') this.#until = Math.max(this.#until, this.#machine.passed + hours * HOUR);
    else expect(reply.code).toMatch(/^maintenance\.[a-z]+$/);
    this.look();
  }

  /** One that is not right: nothing of it has any effect. */
  async forgedRetirement(flaw: Exclude<Flaw, 'none' | 'boot'>): Promise<void> {
    const files = filesOf(this.#folder);
    const { reply } = await this.#order('retirement', flaw, 1);
    expect([reply.accepted, this.#standing?.isRetired(), filesOf(this.#folder)]).toEqual([false, false, files]);
  }

  /** The last thing that happens to a device. */
  async retire(): Promise<void> {
    const { text, reply } = await this.#order('retirement', 'none', 1);
    expect([reply.accepted, this.#standing?.isRetired()]).toEqual([true, true]);
    expect(await verifyRetired(reply.proof ?? '', key.jwk, world.org, enrollment.device, text)).toBeDefined();
    wipe(this.#folder);
    expect([...filesOf(this.#folder).keys()]).toEqual(['retired.json']);
  }

  remove(): void {
    removeFolder(this.#folder);
  }
}
