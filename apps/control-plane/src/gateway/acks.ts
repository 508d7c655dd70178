/** Acknowledgements and self-tests, written in batches: one statement every 50 ms at most, whatever the number of devices, and none in the middle of a stream of them. */
import type { Ack, SelfTest } from '@cordon/policy/protocol/channel.ts';
import type { FastifyBaseLogger } from 'fastify';
import { isPoison } from '../db/faults.ts';

/** What a device reports of itself; newer replaces older. */
export interface Report {
  readonly ack: Omit<Ack, 'type'> | undefined;
  readonly at: Date;
  readonly selfTest: SelfTest | undefined;
}

export interface ReportStore {
  write(reports: ReadonlyMap<string, Report>): Promise<void>;
}

const FLUSH_MS = 50;
/** As long as the next report comes within this time of the last, the writing of them waits: after a publish the channel needs the processor more than the database does. */
const STREAM_MS = 10;
const LATEST_MS = 250;
const RETRY_MS = 1000;
/** Rows in one statement. */
const CHUNK = 5000;

export class ReportBook {
  readonly #store: ReportStore;
  readonly #log: FastifyBaseLogger;
  readonly #onStored: (devices: readonly string[]) => void;
  #waiting = new Map<string, Report>();
  #timer: NodeJS.Timeout | undefined;
  /** When the first and the last of what waits was reported. */
  #since = 0;
  #newest = 0;
  #flushing: Promise<void> | undefined;
  #closed = false;
  /** What must be done before anything is written. */
  readonly #first = new Set<Promise<void>>();

  constructor(store: ReportStore, log: FastifyBaseLogger, onStored: (devices: readonly string[]) => void) {
    this.#store = store;
    this.#log = log;
    this.#onStored = onStored;
  }

  ack(device: string, ack: Omit<Ack, 'type'>, at: Date): void {
    this.#arrived();
    this.#waiting.set(device, { ack, at, selfTest: this.#waiting.get(device)?.selfTest });
  }

  selfTest(device: string, selfTest: SelfTest, at: Date): void {
    const known = this.#waiting.get(device);
    this.#arrived();
    this.#waiting.set(device, { ack: known?.ack, at: known?.at ?? at, selfTest });
  }

  /** Nothing is written before this is done. @param work never fails */
  after(work: Promise<void>): void {
    this.#first.add(work);
    void work.finally(() => this.#first.delete(work));
  }

  /** Writes what waits. What could not be written waits on, unless something newer has come. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#flushing !== undefined) await this.#flushing;
    if (this.#waiting.size === 0) return;
    const writing = this.#write(this.#waiting);
    this.#waiting = new Map();
    this.#flushing = writing.then(() => undefined);
    const written = await writing;
    this.#flushing = undefined;
    if (this.#waiting.size > 0) this.#schedule(written ? FLUSH_MS : RETRY_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    clearTimeout(this.#timer);
  }

  /** One report that the database refuses does not hold up the others: it is found by halving, and left out. */
  async #writePart(part: readonly (readonly [string, Report])[]): Promise<void> {
    try {
      await this.#store.write(new Map(part));
      this.#onStored(part.map(([device]) => device));
    } catch (error) {
      if (!isPoison(error)) throw error;
      if (part.length > 1) {
        const half = Math.ceil(part.length / 2);
        await this.#writePart(part.slice(0, half));
        await this.#writePart(part.slice(half));
      } else this.#log.error({ err: error, device: part[0]?.[0] }, "the database refuses a device's report; it is left out");
    }
  }

  /** @returns whether all of it is in the database */
  async #write(batch: ReadonlyMap<string, Report>): Promise<boolean> {
    await Promise.all(this.#first);
    const all = [...batch];
    for (let from = 0; from < all.length; from += CHUNK) {
      try {
        await this.#writePart(all.slice(from, from + CHUNK));
      } catch (error) {
        this.#log.warn(
          { err: error, devices: all.length - from },
          'acknowledgements could not be written; they are kept and written again',
        );
        for (const [device, report] of all.slice(from)) {
          const newer = this.#waiting.get(device);
          this.#waiting.set(device, {
            ack: newer?.ack ?? report.ack,
            at: newer?.ack === undefined ? report.at : newer.at,
            selfTest: newer?.selfTest ?? report.selfTest,
          });
        }
        return false;
      }
    }
    return true;
  }

  #schedule(ms: number): void {
    if (this.#closed || this.#timer !== undefined || this.#flushing !== undefined) return;
    this.#timer = setTimeout(() => this.#due(), ms);
  }

  #arrived(): void {
    this.#newest = performance.now();
    if (this.#waiting.size === 0) this.#since = this.#newest;
    this.#schedule(FLUSH_MS);
  }

  #due(): void {
    const now = performance.now();
    if (now - this.#newest < STREAM_MS && now - this.#since < LATEST_MS) this.#timer = setTimeout(() => this.#due(), STREAM_MS);
    else void this.flush();
  }
}
