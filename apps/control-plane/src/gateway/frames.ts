/** Frames as bytes, ready to be written to any number of sockets (RFC 6455 §5.2: one final, unmasked text frame each). */
import { Buffer } from 'node:buffer';
import type { DownFrame } from '@cordon/policy/protocol/channel.ts';
import type { Published } from '../publishing/published.ts';

/** @param payload JSON text */
export const textFrame = (payload: string): Buffer => {
  const size = Buffer.byteLength(payload);
  const header = size < 126 ? 2 : size < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + size);
  frame[0] = 0x81;
  if (header === 2) frame[1] = size;
  else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(size, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(size), 2);
  }
  frame.write(payload, header, 'utf8');
  return frame;
};

export const downFrame = (frame: DownFrame): Buffer => textFrame(JSON.stringify(frame));

/** An empty ping (§5.5.2). */
export const PING = Buffer.of(0x89, 0);

/** State frames by cohort, built once under each checkpoint, whatever the number of members. */
export class StateFrames {
  readonly #published: Published;
  #checkpoint = '';
  readonly #built = new Map<string, Buffer>();

  constructor(published: Published) {
    this.#published = published;
  }

  /** @returns undefined while the cohort has no state */
  of(cohort: string, withBundle: boolean): Buffer | undefined {
    const digest = this.#published.checkpoint?.digest ?? '';
    if (digest !== this.#checkpoint) {
      this.#built.clear();
      this.#checkpoint = digest;
    }
    const name = withBundle ? cohort : `${cohort}/light`;
    const known = this.#built.get(name);
    if (known !== undefined) return known;
    const state = this.#published.stateFrame(cohort, withBundle);
    if (state === undefined) return undefined;
    const frame = downFrame(state);
    this.#built.set(name, frame);
    return frame;
  }
}
