/** Frames as bytes, ready to be written to any number of sockets (RFC 6455 §5.2: one final, unmasked text frame each). */
import { Buffer } from 'node:buffer';
import { constants, deflateRawSync } from 'node:zlib';
import type { DownFrame } from '@cordon/policy/protocol/channel.ts';
import { packState } from '@cordon/policy/protocol/packed.ts';
import type { Published } from '../publishing/published.ts';

const TEXT = 0x81;
/** RSV1 says that the payload is compressed (RFC 7692 §6). */
const COMPRESSED_TEXT = 0xc1;

/** A frame with room for its payload, and where that begins. */
const emptyFrame = (first: number, size: number): { readonly frame: Buffer; readonly header: number } => {
  const header = size < 126 ? 2 : size < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + size);
  frame[0] = first;
  if (header === 2) frame[1] = size;
  else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(size, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(size), 2);
  }
  return { frame, header };
};

/** @param payload JSON text */
export const textFrame = (payload: string): Buffer => {
  const { frame, header } = emptyFrame(TEXT, Buffer.byteLength(payload));
  frame.write(payload, header, 'utf8');
  return frame;
};

/** The same, compressed without a window that outlives it, so that the bytes suit every socket (RFC 7692 §7.2.1: an empty block ends it, whose last four bytes are left out). */
export const deflatedFrame = (payload: string): Buffer => {
  const packed = deflateRawSync(payload, { level: 1, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  const { frame, header } = emptyFrame(COMPRESSED_TEXT, packed.length);
  packed.copy(frame, header);
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
  of(cohort: string, withBundle: boolean, deflated: boolean): Buffer | undefined {
    const digest = this.#published.checkpoint?.digest ?? '';
    if (digest !== this.#checkpoint) {
      this.#built.clear();
      this.#checkpoint = digest;
    }
    const name = `${cohort}/${withBundle}/${deflated}`;
    const known = this.#built.get(name);
    if (known !== undefined) return known;
    const state = this.#published.stateFrame(cohort, withBundle);
    if (state === undefined) return undefined;
    const frame = deflated ? deflatedFrame(JSON.stringify(packState(state))) : downFrame(state);
    this.#built.set(name, frame);
    return frame;
  }
}
