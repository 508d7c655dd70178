/** One chain of a device's reports, batch by batch, against the ends of it that the device signed. */
import { CHAIN_START, faultAfter, type ChainFault, type ChainPlace } from '@cordon/policy/protocol/batch.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import type { LineOf } from './lines.ts';

/** What does not hold, and at which event it shows first. */
export interface Fault {
  readonly seq: number;
  readonly why: string;
}

const WHY: Readonly<Record<ChainFault, string>> = {
  missing: 'follows events that are missing',
  again: 'has numbers that were there before: it was put in or moved',
  changed: 'was changed: its hash is not that of its content',
  apart: 'does not follow the batch before it: one of the two was replaced',
};

export class ChainCheck {
  readonly boot: string;
  #place: ChainPlace;
  #begun = false;
  /** Ends that the device signed, by number; there are several only when it contradicts itself. */
  readonly #signed = new Map<number, Set<string>>();
  readonly #expired: boolean;
  /** Number of the last event that a signature covers. */
  covered = 0;
  /** Events before the first that is here. */
  before = 0;

  /** @param expired the beginning may have been taken away by retention */
  constructor(boot: string, expired: boolean) {
    this.boot = boot;
    this.#place = CHAIN_START;
    this.#expired = expired;
  }

  /** An end that the device signed, its signature verified. */
  sign({ seq, hash }: ChainPlace): void {
    this.#signed.set(seq, (this.#signed.get(seq) ?? new Set()).add(hash));
  }

  /** @returns what is wrong with it */
  add({ events, ...batch }: LineOf<'batch'>): Fault | undefined {
    if (!this.#begun && this.#expired && batch.seqFrom > 1) {
      this.#place = { seq: batch.seqFrom - 1, hash: batch.prev };
      this.before = batch.seqFrom - 1;
    }
    this.#begun = true;
    const fault = faultAfter(this.#place, batch, canonicalJson(events));
    if (fault !== undefined) return { seq: fault === 'missing' ? this.#place.seq + 1 : batch.seqFrom, why: WHY[fault] };
    const wrong = events.findIndex(({ seq }, i) => seq !== batch.seqFrom + i);
    const count = batch.seqTo - batch.seqFrom + 1;
    if (wrong >= 0) return { seq: batch.seqFrom + wrong, why: 'has an event with another number than its place' };
    if (events.length !== count) return { seq: batch.seqFrom, why: `has ${events.length} events where its numbers say ${count}` };
    for (let seq = batch.seqFrom; seq < batch.seqTo; seq += 1)
      if (this.#signed.delete(seq)) return { seq, why: 'runs over an end that the device signed: batches were put together anew' };
    this.#place = { seq: batch.seqTo, hash: batch.hash };
    const signed = this.#signed.get(batch.seqTo);
    this.#signed.delete(batch.seqTo);
    if (signed === undefined) return undefined;
    if (signed.size > 1) return { seq: batch.seqTo, why: 'ends where the device signed two different histories' };
    if (!signed.has(batch.hash))
      return { seq: batch.seqTo, why: `is not what the device signed up to here: after event ${this.covered} the chain was built anew` };
    this.covered = batch.seqTo;
    return undefined;
  }

  /** @returns a signed end that the batches did not reach */
  finish(): Fault | undefined {
    const last = [...this.#signed.keys()].reduce((most, seq) => Math.max(most, seq), 0);
    // What was signed before the first batch that is left was taken away with it.
    if (last === 0 || last <= this.before) return undefined;
    return { seq: this.#place.seq + 1, why: `is missing: the device signed ${last} events of this chain, and ${this.#place.seq} are here` };
  }
}
