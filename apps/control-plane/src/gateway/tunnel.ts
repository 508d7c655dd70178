/** The server's end of one tunnel (protocol/tunnel.ts): a stream for whoever reads and writes frames, filled and emptied by requests. */
import { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';
import { MAX_TUNNEL_DOWN, MAX_TUNNEL_UP } from '@cordon/policy/protocol/tunnel.ts';

/** - ended: it is over, and everything was fetched. gap: the offset is none of those that can be repeated. full: the channel takes no more now. */
export type TunnelFault = 'ended' | 'gap' | 'full';

interface Waiting {
  readonly bytes: Buffer;
  /** Told once the bytes are on their way. */
  readonly taken: (error?: Error | null) => void;
}

/** Bytes that devices sent and the channel has not read. */
const MAX_UNREAD = 4 * MAX_TUNNEL_UP;

export class Tunnel extends Duplex {
  /** Milliseconds of the monotonic clock. */
  heardAt: number;
  /** Bytes taken from the device so far. */
  #taken = 0;
  /** Offset of the first byte that may still be asked for. */
  #base = 0;
  /** On its way, and kept until the device asks for what follows. */
  #sent: Buffer = Buffer.alloc(0);
  readonly #waiting: Waiting[] = [];
  #isFinished = false;
  #wake: (() => void) | undefined;

  constructor(now: number) {
    super({ highWaterMark: MAX_TUNNEL_UP, allowHalfOpen: false });
    this.heardAt = now;
  }

  /** Bytes from the device. @returns what is wrong; undefined when they were taken, now or before */
  up(offset: number, bytes: Buffer): TunnelFault | undefined {
    if (this.destroyed || this.#isFinished) return 'ended';
    if (offset > this.#taken) return 'gap';
    const fresh = bytes.subarray(this.#taken - offset);
    if (fresh.length === 0) return undefined;
    if (this.readableLength + fresh.length > MAX_UNREAD) return 'full';
    this.#taken += fresh.length;
    this.push(fresh);
    return undefined;
  }

  /** Bytes for the device from an offset, as soon as there are any. @param waited ends the wait with none */
  async down(offset: number, waited: AbortSignal): Promise<Buffer | TunnelFault> {
    if (offset < this.#base || offset > this.#base + this.#sent.length) return 'gap';
    this.#sent = this.#sent.subarray(offset - this.#base);
    this.#base = offset;
    // One question at a time: an older one, whose asker is gone, gets nothing that the newer would lack.
    this.#wake?.();
    if (this.#sent.length === 0 && this.#waiting.length === 0 && !this.#isOver) await this.#something(waited);
    if (this.#base !== offset) return 'gap';
    this.#take();
    return this.#sent.length === 0 && this.#isOver ? 'ended' : this.#sent;
  }

  get #isOver(): boolean {
    return this.#isFinished || this.destroyed;
  }

  #something(waited: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        waited.removeEventListener('abort', wake);
        if (this.#wake === wake) this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      waited.addEventListener('abort', wake, { once: true });
      if (waited.aborted) wake();
    });
  }

  /** Moves what waits on its way, within the size of one answer. */
  #take(): void {
    const parts = [this.#sent];
    let size = this.#sent.length;
    for (let next = this.#waiting[0]; next !== undefined && size + next.bytes.length <= MAX_TUNNEL_DOWN; next = this.#waiting[0]) {
      parts.push(next.bytes);
      size += next.bytes.length;
      this.#waiting.shift();
      next.taken();
    }
    if (parts.length > 1) this.#sent = Buffer.concat(parts);
  }

  override _read(): void {
    // Filled by `up`.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, taken: (error?: Error | null) => void): void {
    // A frame can be longer than an answer: it goes in pieces, and counts as taken with the last.
    for (let at = 0; at < chunk.length || at === 0; at += MAX_TUNNEL_DOWN) {
      const isLast = at + MAX_TUNNEL_DOWN >= chunk.length;
      this.#waiting.push({ bytes: chunk.subarray(at, at + MAX_TUNNEL_DOWN), taken: isLast ? taken : () => undefined });
    }
    this.#wake?.();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#isFinished = true;
    this.#wake?.();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    for (const { taken } of this.#waiting.splice(0)) taken(error ?? new Error('the tunnel is over'));
    this.#wake?.();
    done(error);
  }
}
