import fc from 'fast-check';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { readClientHello } from './client-hello.ts';

/** What Node's own TLS says first. */
const realHello = (options: tls.ConnectionOptions): Promise<Buffer> =>
  new Promise((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    tls.connect({ socket, ...options }).on('error', () => undefined);
  });

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const extension = (type: number, body: Buffer): Buffer => Buffer.concat([u16(type), u16(body.length), body]);
const entry = (name: string, type = 0): Buffer => Buffer.concat([Buffer.from([type]), u16(name.length), Buffer.from(name, 'latin1')]);
const serverName = (...entries: Buffer[]): Buffer => {
  const list = Buffer.concat(entries);
  return extension(0, Buffer.concat([u16(list.length), list]));
};
const handshake = (extensions: Buffer | undefined): Buffer => {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    u16(2),
    Buffer.from([0x13, 1]),
    Buffer.from([1, 0]),
    ...(extensions === undefined ? [] : [u16(extensions.length), extensions]),
  ]);
  return Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
};
const record = (body: Buffer, type = 22): Buffer => Buffer.concat([Buffer.from([type, 3, 1]), u16(body.length), body]);
const hello = (...extensions: Buffer[]): Buffer => record(handshake(Buffer.concat(extensions)));

describe('readClientHello', () => {
  it('reads the name of real hellos, whatever else is in them', async () => {
    for (const options of [
      {},
      { ALPNProtocols: ['h2', 'http/1.1'] },
      { maxVersion: 'TLSv1.2' as const },
      { minVersion: 'TLSv1.3' as const },
    ])
      expect(readClientHello(await realHello({ servername: 'api.example.com', ...options }))).toEqual({
        kind: 'tls',
        serverName: 'api.example.com',
      });
    expect(readClientHello(await realHello({ host: '192.0.2.1' }))).toEqual({ kind: 'tls', serverName: undefined });
  });

  it('waits for the whole of it, however it is cut', async () => {
    const bytes = await realHello({ servername: 'api.example.com' });
    for (let length = 0; length < bytes.length; length += 1)
      expect(readClientHello(bytes.subarray(0, length)), String(length)).toEqual({ kind: 'more' });
    expect(readClientHello(Buffer.concat([bytes, Buffer.from('more')]))).toEqual({ kind: 'tls', serverName: 'api.example.com' });
  });

  it('knows what is not TLS by its first bytes', () => {
    for (const text of ['GET / HTTP/1.1\r\n\r\n', 'SSH-2.0-x\r\n', '\u0000', 'PRI * HTTP/2.0\r\n'])
      expect(readClientHello(Buffer.from(text))).toEqual({ kind: 'not-tls' });
    expect(readClientHello(Buffer.from([0x80, 46, 1, 3, 1]))).toEqual({ kind: 'not-tls' });
    expect(readClientHello(Buffer.from([22, 2, 0, 0, 5]))).toEqual({ kind: 'not-tls' });
  });

  it('takes a hello without extensions, or without a name, for one without a name', () => {
    expect(readClientHello(record(handshake(undefined)))).toEqual({ kind: 'tls', serverName: undefined });
    expect(readClientHello(hello(extension(16, Buffer.from('x'))))).toEqual({ kind: 'tls', serverName: undefined });
  });

  it('a name that is said twice, with others, or of another kind is unclear', () => {
    const one = serverName(entry('allowed.example'));
    for (const odd of [
      hello(one, serverName(entry('evil.example'))),
      hello(one, one),
      hello(serverName(entry('allowed.example'), entry('evil.example'))),
      hello(serverName(entry('evil.example', 1))),
      hello(serverName()),
      hello(extension(0, Buffer.alloc(0))),
      hello(extension(0, Buffer.concat([u16(99), entry('allowed.example')]))),
      hello(extension(0, Buffer.concat([u16(entry('allowed.example').length), entry('allowed.example'), Buffer.from('x')]))),
    ])
      expect(readClientHello(odd)).toEqual({ kind: 'unclear' });
  });

  it('a hello that is split over records is unclear, so that its pieces cannot be read in two ways', () => {
    const whole = handshake(serverName(entry('evil.example')));
    for (let at = 1; at < whole.length; at += 1)
      expect(readClientHello(Buffer.concat([record(whole.subarray(0, at)), record(whole.subarray(at))])), String(at)).toEqual({
        kind: 'unclear',
      });
    expect(readClientHello(record(Buffer.concat([whole, whole])))).toEqual({ kind: 'unclear' });
    expect(readClientHello(record(Buffer.concat([Buffer.from([2]), whole.subarray(1)])))).toEqual({ kind: 'unclear' });
  });

  it('a record longer than TLS has is unclear at once', () => {
    expect(readClientHello(Buffer.from([22, 3, 1, 0xff, 0xff]))).toEqual({ kind: 'unclear' });
  });

  it('has an answer for all bytes, and never reads a name that does not stand in its first record', () => {
    const base = hello(extension(10, Buffer.from('abcdef')), serverName(entry('allowed.example')), extension(43, Buffer.from('xyz')));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.uint8Array({ maxLength: 200 }),
        (changes, tail) => {
          const bytes = Buffer.concat([base, tail]);
          for (const [at, value] of changes) bytes[at] = value;
          const result = readClientHello(bytes);
          if (result.kind !== 'tls' || result.serverName === undefined) return;
          expect(bytes.subarray(5, 5 + bytes.readUInt16BE(3)).includes(Buffer.from(result.serverName, 'latin1'))).toBe(true);
        },
      ),
      { numRuns: LAW_RUNS * 5 },
    );
  });
});
