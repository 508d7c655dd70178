/** From a checked frame to a committed row and its acknowledgement: a short queue, few large transactions, and no more in memory than is bounded here. */
import { bodyOf } from '@cordon/policy/protocol/batch.ts';
import type { DownFrame, TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import { isPoison } from '../db/faults.ts';
import type { FindingBook } from '../reports/findings.ts';
import { endOf, judge, type ChainEnd } from './chain.ts';
import { decide, type Log } from './decide.ts';
import { rowsOf, type Rows } from './rows.ts';
import type { TelemetryStore } from './store.ts';

/** How long a batch may wait for others. */
const LINGER_MS = 20;
/** Events in one transaction, and in memory before devices are no longer read from. */
const LARGEST_WRITE = 5000;
/** Transactions at once: rows of one are made while the database works on another. A device is never in two. */
const WRITERS = 3;
const HIGH_WATER = 60_000;
const RETRY_MS = 500;

/** A device's session, as far as telemetry needs it. */
export interface Source {
  readonly device: string;
  /** End of the chain as queued or committed; undefined when it must be read. */
  chain: ChainEnd | undefined;
  send(frame: DownFrame): void;
  pause(): void;
  resume(): void;
}

interface Queued extends Rows {
  readonly source: Source;
}

export class Ingest {
  readonly #store: TelemetryStore;
  readonly #findings: Pick<FindingBook, 'record'>;
  readonly #clock: () => Date;
  readonly #log: Log;
  readonly #paused = new Set<Source>();
  /** Frames of a source whose chain is being read wait behind it. */
  readonly #reading = new WeakMap<Source, Promise<void>>();
  #queue: Queued[] = [];
  #events = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #writing = new Set<Promise<void>>();
  readonly #busy = new Set<string>();
  #closed = false;

  constructor(store: TelemetryStore, findings: Pick<FindingBook, 'record'>, clock: () => Date, log: Log) {
    this.#store = store;
    this.#findings = findings;
    this.#clock = clock;
    this.#log = log;
  }

  /** Takes a frame that is valid by itself. Frames of one source are taken in order. @param body the text of its events, where it is known already */
  offer(source: Source, frame: TelemetryFrame, body = bodyOf(frame)): void {
    const before = this.#reading.get(source);
    if (before === undefined && source.chain?.boot === frame.boot && judge(frame, source.chain) === 'next') {
      this.#queueUp(source, frame, body);
      return;
    }
    // What waits behind the reading is counted nowhere: nothing more is read from the device meanwhile.
    source.pause();
    const next = (before ?? Promise.resolve()).then(() => this.#consider(source, frame, body));
    this.#reading.set(source, next);
    void next.then(() => {
      if (this.#reading.get(source) !== next) return;
      this.#reading.delete(source);
      if (!this.#paused.has(source)) source.resume();
    });
  }

  /** Writes what waits; for the end of the process. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#writing);
    for (let refused = false; this.#queue.length > 0 && !refused;) refused = await this.#flush();
  }

  /** A batch that does not simply follow what this session sent before. */
  async #consider(source: Source, frame: TelemetryFrame, body: string): Promise<void> {
    const { device } = source;
    const { boot } = frame;
    const known = source.chain?.boot === boot ? judge(frame, source.chain) : undefined;
    if (known === 'next') return this.#queueUp(source, frame, body);
    // What waits to be written is not stored yet: a repetition of it is acknowledged by its own commit, and about the rest nothing can be found out now.
    if (known !== undefined && this.#isWaiting(device, boot)) {
      if (known !== 'repeated') this.#unavailable(source);
      return;
    }
    try {
      source.chain = await this.#store.endOf(device, boot);
      const decision = await decide({ store: this.#store, findings: this.#findings, log: this.#log }, device, frame, source.chain);
      if (decision.kind === 'take') this.#queueUp(source, frame, body);
      else if (decision.kind === 'acknowledge') source.send({ type: 'telemetry.ack', boot, seq: decision.seq });
      else this.#complain(source, decision);
    } catch (error) {
      this.#log.warn({ err: error, device }, 'a telemetry chain could not be read; the device sends again');
      this.#unavailable(source);
    }
  }

  #unavailable(source: Source): void {
    this.#complain(source, { code: 'telemetry.unavailable', detail: 'telemetry cannot be stored now; send again later' });
  }

  #complain(source: Source, { code, detail }: { readonly code: string; readonly detail: string }): void {
    source.send({ type: 'problem', code, detail });
  }

  #isWaiting(device: string, boot: string): boolean {
    return this.#busy.has(device) || this.#queue.some((queued) => queued.device === device && queued.frame.boot === boot);
  }

  #queueUp(source: Source, frame: TelemetryFrame, body: string): void {
    source.chain = endOf(frame);
    this.#queue.push({ source, ...rowsOf({ device: source.device, frame, receivedAt: this.#clock(), body }) });
    this.#events += frame.events.length;
    if (this.#events > HIGH_WATER) {
      source.pause();
      this.#paused.add(source);
    }
    this.#schedule(this.#events >= LARGEST_WRITE ? 0 : LINGER_MS);
  }

  /** Writes what can be written after this time; whatever is of a device with a write under way waits for that one's end. */
  #schedule(ms: number): void {
    if (this.#queue.every(({ device }) => this.#busy.has(device))) return;
    if (this.#writing.size >= WRITERS || this.#closed) return;
    if (this.#timer !== undefined && ms > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const writing = this.#flush().then((retry) => {
        this.#writing.delete(writing);
        this.#schedule(retry ? RETRY_MS : this.#events >= LARGEST_WRITE ? 0 : LINGER_MS);
      });
      this.#writing.add(writing);
      this.#schedule(LINGER_MS);
    }, ms);
  }

  /** @returns whether the database did not take it, so that it waits in the queue again */
  async #flush(): Promise<boolean> {
    let count = 0;
    const batch: Queued[] = [];
    const rest: Queued[] = [];
    for (const queued of this.#queue) {
      const take = count < LARGEST_WRITE && !this.#busy.has(queued.device);
      (take ? batch : rest).push(queued);
      if (take) count += queued.events;
    }
    this.#queue = rest;
    if (batch.length === 0) return false;
    const devices = new Set(batch.map(({ device }) => device));
    for (const device of devices) this.#busy.add(device);
    const waiting = await this.#write(batch);
    for (const device of devices) this.#busy.delete(device);
    this.#queue = [...waiting, ...this.#queue];
    this.#events -= count - waiting.reduce((sum, { events }) => sum + events, 0);
    if (this.#events < HIGH_WATER / 2) {
      for (const source of this.#paused) source.resume();
      this.#paused.clear();
    }
    return waiting.length > 0;
  }

  /** @returns what must be tried again */
  async #write(batch: readonly Queued[]): Promise<readonly Queued[]> {
    try {
      const committed = new Set(await this.#store.write(batch, this.#clock()));
      const acks = new Map<Source, Map<string, number>>();
      for (const queued of batch) {
        if (committed.has(queued))
          acks.set(queued.source, (acks.get(queued.source) ?? new Map<string, number>()).set(queued.frame.boot, queued.frame.seqTo));
        else this.#reject(queued, 'telemetry.unavailable');
      }
      for (const [source, boots] of acks) for (const [boot, seq] of boots) source.send({ type: 'telemetry.ack', boot, seq });
      return [];
    } catch (error) {
      if (!isPoison(error)) {
        this.#log.warn({ err: error, batches: batch.length }, 'telemetry could not be written; it is kept and written again');
        return batch;
      }
      const [first] = batch;
      if (batch.length === 1 && first !== undefined) {
        this.#log.error({ err: error, device: first.device }, 'the database refuses a telemetry batch');
        this.#reject(first, 'telemetry.refused');
        return [];
      }
      const half = Math.ceil(batch.length / 2);
      return [...(await this.#write(batch.slice(0, half))), ...(await this.#write(batch.slice(half)))];
    }
  }

  /** The chain is read again before the source's next batch: whether something is missing or contradicts is only said after that. */
  #reject({ source, frame }: Queued, code: string): void {
    source.chain = undefined;
    this.#complain(source, { code, detail: `boot ${frame.boot}: ${frame.seqFrom} to ${frame.seqTo} was not stored` });
  }
}
