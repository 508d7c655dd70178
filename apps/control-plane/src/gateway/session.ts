/** One connected device. Small on purpose: ten thousand of them lie in memory. */
import type { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { DownFrame } from '@cordon/policy/protocol/channel.ts';
import type { ChainEnd } from '../telemetry/chain.ts';
import { downFrame } from './frames.ts';

/** Messages a second that a device may send, and how many at once. */
const RATE = 20;
const BURST = 100;

/** The socket of a session: the library's, with room for what it belongs to, so that no closure is kept per connection. */
export class Channel extends WebSocket {
  session: Session | undefined;
}

export class Session {
  readonly device: string;
  readonly channel: Channel;
  /** Below the library: complete frames are written here, the same buffer to all. Fragments are never used. */
  readonly socket: Duplex;
  /** The device takes compressed frames. It sends none: those are refused. */
  readonly inflates: boolean;
  /** Its number in the line of the device's sessions: one with a higher number, here or at another replica, ends it. */
  readonly joins: number;
  /** What this session is called towards the device: statements that it signs for this session name it. */
  readonly nonce = randomBytes(16).toString('base64url');
  /** The start of its daemon, as hello said. */
  boot: string | undefined = undefined;
  /** Hello was received; until then it gets no state. */
  greeted = false;
  cohort: string | undefined = undefined;
  /** Digest of the bundle that the device says it enforces. */
  held: string | undefined = undefined;
  /** Newest state was not written because older bytes were still waiting. */
  behind = false;
  /** Milliseconds of the monotonic clock. */
  readonly openedAt: number;
  heardAt: number;
  chain: ChainEnd | undefined = undefined;
  #tokens = BURST;
  #refilledAt: number;

  constructor(device: string, joins: number, channel: Channel, socket: Duplex, inflates: boolean, now: number) {
    this.device = device;
    this.joins = joins;
    this.channel = channel;
    this.socket = socket;
    this.inflates = inflates;
    this.openedAt = now;
    this.heardAt = now;
    this.#refilledAt = now;
  }

  /** Counts one message. @returns whether it is within the device's rate */
  admit(now: number): boolean {
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#refilledAt) * RATE) / 1000);
    this.#refilledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  get open(): boolean {
    return this.channel.readyState === WebSocket.OPEN;
  }

  /** A complete frame, as it is. */
  write(frame: Buffer): void {
    if (this.open) this.socket.write(frame);
  }

  send(frame: DownFrame): void {
    this.write(downFrame(frame));
  }

  /** No more is read from the device until `resume`. */
  pause(): void {
    this.channel.pause();
  }

  resume(): void {
    this.channel.resume();
  }

  close(code: number, reason: string): void {
    this.channel.close(code, reason.slice(0, 120));
  }
}
