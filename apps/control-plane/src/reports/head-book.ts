/** Signed heads as they come: stored in batches and answered after that. Nothing is verified here; that is not for the hot path. */
import type { DownFrame, HeadFrame } from '@cordon/policy/protocol/channel.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { FastifyBaseLogger } from 'fastify';
import type { ReceivedHead } from './store.ts';

const LINGER_MS = 200;
const RETRY_MS = 2000;
const LARGEST_WRITE = 1000;
/** What may wait for the database; a device whose head does not fit here sends it again later. */
const MOST_WAITING = 20_000;

interface Source {
  readonly device: string;
  send(frame: DownFrame): void;
}

interface Waiting {
  readonly source: Source;
  readonly head: ReceivedHead;
}

export class HeadBook {
  readonly #write: (heads: readonly ReceivedHead[]) => Promise<void>;
  readonly #clock: () => Date;
  readonly #log: FastifyBaseLogger;
  /** By device and boot: a later head covers the one before it. */
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<number> | undefined;
  #closed = false;

  constructor(write: (heads: readonly ReceivedHead[]) => Promise<void>, clock: () => Date, log: FastifyBaseLogger) {
    this.#write = write;
    this.#clock = clock;
    this.#log = log;
  }

  offer(source: Source, { boot, seq, hash, head: jws }: HeadFrame): void {
    const key = `${source.device} ${boot}`;
    if (this.#waiting.size >= MOST_WAITING && !this.#waiting.has(key)) return;
    const head = { device: source.device, boot, seq, hash, jws, digest: sha256Hex(jws), at: this.#clock() };
    this.#waiting.set(key, { source, head });
    this.#schedule(LINGER_MS);
  }

  /** Writes what waits; for the end of the process. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#flush();
  }

  #schedule(ms: number): void {
    if (this.#closed || this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = setTimeout(() => void this.#flush(), ms);
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const batch = [...this.#waiting].slice(0, LARGEST_WRITE);
    if (batch.length === 0) return;
    this.#writing = this.#store(batch);
    const pause = await this.#writing;
    this.#writing = undefined;
    if (this.#waiting.size > 0) this.#schedule(pause);
  }

  /** @returns how long to wait before the next */
  async #store(batch: readonly (readonly [string, Waiting])[]): Promise<number> {
    try {
      await this.#write(batch.map(([, { head }]) => head));
    } catch (error) {
      this.#log.warn({ err: error, heads: batch.length }, 'signed heads could not be written; they are kept and written again');
      return RETRY_MS;
    }
    for (const [key, waiting] of batch) {
      if (this.#waiting.get(key) === waiting) this.#waiting.delete(key);
      waiting.source.send({ type: 'head.ack', boot: waiting.head.boot, signed: waiting.head.seq });
    }
    return LINGER_MS;
  }
}
