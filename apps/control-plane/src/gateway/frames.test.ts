import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { COMPRESSION } from './compression.ts';
import { deflatedFrame, PING, textFrame } from './frames.ts';

/** Parsed by hand after RFC 6455 §5.2. */
const parse = (
  frame: Buffer,
): { fin: boolean; reserved: number; opcode: number; masked: boolean; header: number; length: number; payload: Buffer } => {
  const [first = 0, second = 0] = frame;
  const short = second & 0x7f;
  const [header, length] = short < 126 ? [2, short] : short === 126 ? [4, frame.readUInt16BE(2)] : [10, Number(frame.readBigUInt64BE(2))];
  return {
    fin: (first & 0x80) !== 0,
    reserved: first & 0x70,
    opcode: first & 0x0f,
    masked: (second & 0x80) !== 0,
    header,
    length,
    payload: frame.subarray(header),
  };
};

describe('a text frame', () => {
  it.each([
    [0, 2],
    [1, 2],
    [125, 2],
    [126, 4],
    [127, 4],
    [65_535, 4],
    [65_536, 10],
    [200_000, 10],
  ])('of %i bytes is final, unmasked, and has its length in the shortest form', (size, header) => {
    const parsed = parse(textFrame('x'.repeat(size)));
    expect(parsed).toMatchObject({ fin: true, reserved: 0, opcode: 1, masked: false, header, length: size });
    expect(parsed.payload.toString()).toBe('x'.repeat(size));
  });

  it('counts bytes, not characters', () => {
    const { length, payload } = parse(textFrame('é'.repeat(63)));
    expect(length).toBe(126);
    expect(payload.toString()).toBe('é'.repeat(63));
  });

  it.each([
    ['as it is', textFrame],
    ['compressed', deflatedFrame],
  ])('of any text, %s, is read by a WebSocket client as that text, however many follow each other', async (_, frame) => {
    const texts = [
      ...fc.sample(fc.string({ unit: 'grapheme', maxLength: 300 }), LAW_RUNS),
      ...[125, 126, 65_535, 65_536].map((n) => 'y'.repeat(n)),
    ];
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    onTestFinished(() => server.close());
    await once(server, 'listening');
    server.on('headers', (headers) => headers.push(`Sec-WebSocket-Extensions: ${COMPRESSION}`));
    server.on('connection', (_channel, { socket }) => {
      for (const text of texts) socket.write(Buffer.concat([frame(text), PING]));
    });
    const seen: string[] = [];
    let pings = 0;
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { autoPong: false });
    socket.on('message', (data) => seen.push((data as Buffer).toString('utf8')));
    socket.on('ping', () => (pings += 1));
    await expect.poll(() => pings, { timeout: 10_000, interval: 5 }).toBe(texts.length);
    expect(seen).toEqual(texts);
    socket.terminate();
  });
});

describe('a compressed frame', () => {
  it('says so in its first byte, and is smaller where there is something to gain', () => {
    const text = JSON.stringify({ rules: Array.from({ length: 200 }, (_, i) => ({ host: `host${i}.example.com` })) });
    const frame = deflatedFrame(text);
    expect(frame[0]).toBe(0xc1);
    expect(frame.length).toBeLessThan(text.length / 4);
  });
});
