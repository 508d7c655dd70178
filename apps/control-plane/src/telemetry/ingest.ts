/** From a checked frame to a committed row and its acknowledgement: a short queue, few large transactions, and no more in memory than is bounded here. */
import { bodyOf } from '@cordon/policy/protocol/batch.ts';
import type { DownFrame, TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { FastifyBaseLogger } from 'fastify';
import { isPoison } from '../db/faults.ts';
import { endOf, judge, type ChainEnd } from './chain.ts';
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
  readonly #clock: () => Date;
  readonly #log: FastifyBaseLogger;
  readonly #paused = new Set<Source>();
  /** Frames of a source whose chain is being read wait behind it. */
  readonly #reading = new WeakMap<Source, Promise<void>>();
  /** What is known to be in the database; a repeated batch that is only queued is acknowledged by its own commit. */
  readonly #committed = new WeakMap<Source, { readonly boot: string; readonly seq: number }>();
  #queue: Queued[] = [];
  #events = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #writing = new Set<Promise<void>>();
  readonly #busy = new Set<string>();
  #closed = false;

  constructor(store: TelemetryStore, clock: () => Date, log: FastifyBaseLogger) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Takes a frame that is valid by itself. Frames of one source are taken in order. @param body the text of its events, where it is known already */
  offer(source: Source, frame: TelemetryFrame, body = bodyOf(frame)): void {
    const before = this.#reading.get(source);
    if (before === undefined && source.chain?.boot === frame.boot) {
      this.#take(source, frame, body);
      return;
    }
    // What waits behind the reading is counted nowhere: nothing more is read from the device meanwhile.
    source.pause();
    const next = (before ?? Promise.resolve()).then(() => this.#read(source, frame, body));
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

  async #read(source: Source, frame: TelemetryFrame, body: string): Promise<void> {
    try {
      if (source.chain?.boot !== frame.boot) {
        source.chain = await this.#store.endOf(source.device, frame.boot);
        if (source.chain !== undefined) this.#committed.set(source, source.chain);
      }
      this.#take(source, frame, body);
    } catch (error) {
      this.#log.warn({ err: error, device: source.device }, 'a telemetry chain could not be read; the device sends again');
      source.send({ type: 'problem', code: 'telemetry.unavailable', detail: 'telemetry cannot be stored now; send again later' });
    }
  }

  #take(source: Source, frame: TelemetryFrame, body: string): void {
    const end = source.chain?.boot === frame.boot ? source.chain : undefined;
    switch (judge(frame, end).kind) {
      case 'duplicate': {
        const committed = this.#committed.get(source);
        if (committed?.boot === frame.boot && committed.seq >= frame.seqTo) this.#acknowledge(source, committed);
        return;
      }
      case 'gap':
        source.send({
          type: 'problem',
          code: 'telemetry.gap',
          detail: `boot ${frame.boot}: expected the batch that follows ${end === undefined ? 'nothing' : `sequence ${end.seq}`}, got ${frame.seqFrom} to ${frame.seqTo}`,
        });
        return;
      case 'fork':
        this.#log.warn({ device: source.device, boot: frame.boot, seq: frame.seqFrom }, 'a device tells two histories of one boot');
        source.send({
          type: 'problem',
          code: 'telemetry.fork',
          detail: `boot ${frame.boot}: ${frame.seqFrom} to ${frame.seqTo} contradicts what was sent before`,
        });
        return;
      case 'next':
        source.chain = endOf(frame);
        this.#queue.push({ source, ...rowsOf({ device: source.device, frame, receivedAt: this.#clock(), body }) });
        this.#events += frame.events.length;
        if (this.#events > HIGH_WATER) {
          source.pause();
          this.#paused.add(source);
        }
        this.#schedule(this.#events >= LARGEST_WRITE ? 0 : LINGER_MS);
    }
  }

  #acknowledge(source: Source, committed: { readonly boot: string; readonly seq: number }): void {
    this.#committed.set(source, committed);
    source.send({ type: 'telemetry.ack', boot: committed.boot, seq: committed.seq });
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
        else this.#reject(queued, 'telemetry.gap');
      }
      for (const [source, boots] of acks) for (const [boot, seq] of boots) this.#acknowledge(source, { boot, seq });
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

  /** The chain is read again before the source's next batch. */
  #reject({ source, frame }: Queued, code: string): void {
    source.chain = undefined;
    source.send({ type: 'problem', code, detail: `boot ${frame.boot}: ${frame.seqFrom} to ${frame.seqTo} was not stored` });
  }
}
