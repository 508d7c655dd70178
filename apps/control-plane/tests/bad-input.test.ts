import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { batchAfter, connect, enrol, hello, ticketOf, upgrade, type Enrolled, type TestChannel } from './_channel.ts';
import { enrolDevice, newKey, POLICY, someFacts, startPlane, type Answer, type TestPlane } from './_util.ts';

let test: TestPlane;
let device: Enrolled;
beforeAll(async () => {
  test = await startPlane();
  device = await enrol(test);
});
afterAll(() => test.close());

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly code?: string; readonly pointer: string; readonly line?: number; readonly message: string }[];
}
const refusal = ({ status, body }: Answer<{ code: string }>): [number, string] => [status, body.code];
const post = (url: string, body: unknown): Promise<Answer<Problem>> => test.admin<Problem>('POST', url, { body });

describe('a policy that is', () => {
  const withLine = (line: string): string => `${POLICY}${line}\n`;
  it.each([
    ['not YAML', 'apiVersion: [cordon/v1', 'policy.syntax', undefined],
    ['two documents', `${POLICY}---\n${POLICY}`, 'policy.syntax', undefined],
    ['a list', '- a\n- b\n', undefined, undefined],
    ['empty but for a comment', '# nothing\n', undefined, undefined],
    ['with a key that nobody knows', withLine('  alow: {}'), 'policy.unknown-key', '/spec/alow'],
    ['with a key twice', withLine('  allow: {}'), 'policy.syntax', undefined],
    ['of another kind', POLICY.replace('ContainmentPolicy', 'Pod'), 'policy.value', '/kind'],
    ['of another version', POLICY.replace('cordon/v1', 'cordon/v9'), 'policy.value', '/apiVersion'],
    ['with a relative path', POLICY.replace('"${workspace}"', '"src/../.."'), undefined, '/spec/allow/filesystem/write/0'],
    ['with a path that climbs', POLICY.replace('"${workspace}"', '"${workspace}/../.."'), undefined, '/spec/allow/filesystem/write/0'],
    ['with a variable that nobody knows', POLICY.replace('${workspace}', '${homes}'), undefined, '/spec/allow/filesystem/write/0'],
    ['granting what is never granted', POLICY.replace('"${workspace}"', '"${home}/.ssh"'), undefined, '/spec/allow/filesystem/write/0'],
    ['with a host that is none', POLICY.replace('api.example.com', '"http://x/y"'), undefined, '/spec/allow/network/hosts/0'],
    ['with a number for a text', POLICY.replace('coding-agents', '5'), 'policy.value', '/metadata/name'],
    ['a bomb of aliases', `a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n${POLICY}`, 'policy.alias', undefined],
    ['nested without end', `${'['.repeat(5000)}${']'.repeat(5000)}`, undefined, undefined],
  ])('%s is refused with its places and stores nothing', async (_name, yaml, code, pointer) => {
    const before = await test.plane.context.prisma.policy.count();
    const answer = await post('/policies', { yaml });
    expect(refusal(answer)).toEqual([400, 'policy.invalid']);
    const { errors = [] } = answer.body;
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors)
      expect([error.message.length > 5, error.pointer === '' || error.pointer.startsWith('/')]).toEqual([true, true]);
    if (code !== undefined) expect(errors.map((error) => error.code)).toContain(code);
    if (pointer !== undefined) expect(errors.some((error) => error.pointer.startsWith(pointer))).toBe(true);
    expect(await test.plane.context.prisma.policy.count()).toBe(before);
  });

  it('too large is refused before it is read', async () => {
    expect(refusal(await post('/policies', { yaml: `${POLICY}#${'x'.repeat(524_288)}` }))).toEqual([400, 'request.invalid']);
    expect(refusal(await post('/policies', { yaml: 'x'.repeat(1_100_000) }))).toEqual([413, 'request.too-large']);
  });

  it('good, but with a NUL in a comment, is refused as what cannot be stored', async () =>
    expect((await post('/policies', { yaml: `# \0\n${POLICY}` })).status).toBe(400));
});

describe('a filter with a word that nothing is called', () => {
  it.each([
    ['/telemetry/events?kind=egres', '/kind', '"egress"'],
    ['/telemetry/events?verdict=deneid', '/verdict', '"denied"'],
  ])('%s is refused, and the words that there are are named', async (url, pointer, word) => {
    const answer = await test.admin<Problem>('GET', url);
    expect(refusal(answer)).toEqual([400, 'request.invalid']);
    expect(answer.body.errors).toEqual([{ pointer, message: expect.stringContaining(word) as unknown }]);
  });
});

describe('text that the database cannot hold', () => {
  it('is refused with a code, wherever it stands', async () => {
    const nul = 'a\0b';
    expect(refusal(await post('/groups', { name: nul }))).toEqual([400, 'request.text']);
    expect(refusal(await post('/enrollment-tokens', { name: nul }))).toEqual([400, 'request.text']);
    expect(refusal(await post('/api-tokens', { name: nul, role: 'auditor' }))).toEqual([400, 'request.text']);
    expect(refusal(await post('/publish', { title: nul }))).toEqual([400, 'request.text']);
    expect(refusal(await post('/assignments', { policyId: nul, groupId: nul }))).toEqual([400, 'request.text']);
    for (const url of ['/audit?subject=%00', '/telemetry/events?run=%00', '/assignments?groupId=%00'])
      expect(refusal(await test.admin<Problem>('GET', url)), url).toEqual([400, 'request.text']);
    const { token } = (await test.admin<{ token: string }>('POST', '/enrollment-tokens', { body: { name: 'x' } })).body;
    expect(refusal(await enrolDevice(test, token, newKey(), { facts: someFacts(nul) }))).toEqual([400, 'request.text']);
    // Nothing was half done: the token is still good, and nothing of it is published.
    expect((await enrolDevice(test, token, newKey())).status).toBe(200);
    expect(refusal(await post('/groups', { name: 'a\ud800b' }))[0]).toBe(400);
  });
});

describe('a request that is', () => {
  it.each([
    ['/groups?limit=1.5', 'request.invalid'],
    ['/groups?limit=501', 'request.invalid'],
    ['/groups?limit=1&limit=2', 'request.invalid'],
    ['/groups?lmit=1', 'request.invalid'],
    ['/devices?state=Fine', 'request.invalid'],
    ['/devices?filter=state%20%3D%20Fine', 'filter.value'],
    ['/devices?filter=name%20%3D%20%00', 'filter.syntax'],
    ['/devices?filter=', 'filter.syntax'],
    ['/audit?cursor=-1', 'request.cursor'],
    ['/audit?cursor=1e3', 'request.cursor'],
    ['/policies/pol_1/revisions?cursor=0', 'request.cursor'],
  ])('%s is refused', async (url, code) => expect(refusal(await test.admin<Problem>('GET', url))).toEqual([400, code]));

  it("another list's cursor is refused", async () => {
    for (let i = 0; i < 2; i += 1) await post('/groups', { name: `cursor ${i}` });
    const { next } = (await test.admin<{ next: string }>('GET', '/groups?limit=1')).body;
    expect((await test.admin('GET', `/groups?limit=1&cursor=${next}`)).status).toBe(200);
    for (const url of [
      '/devices',
      '/policies',
      '/api-tokens',
      '/enrollment-tokens',
      '/assignments',
      '/change-sets',
      '/audit',
      '/telemetry/events',
    ])
      expect(refusal(await test.admin<Problem>('GET', `${url}?cursor=${next}`)), url).toEqual([400, 'request.cursor']);
  });
});

/** A channel on which hello was said. */
const greeted = async (): Promise<TestChannel> => {
  const channel = connect(test, device.id);
  await channel.next('welcome');
  channel.send(hello());
  return channel;
};
/** Bytes on the wire, past the library: a client frame with a zero mask (RFC 6455 §5.2). */
const raw = (opcode: number, length: number, { fin = true, payload = Buffer.alloc(0) } = {}): Buffer => {
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) | opcode;
  if (head.length === 2) head[1] = 0x80 | length;
  else if (head.length === 4) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, Buffer.alloc(4), payload]);
};
/** A connection that is upgraded by hand, and what the server's close frame says. */
const byHand = (): Promise<{ write(bytes: Buffer): void; closed: Promise<number> }> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(Number(new URL(test.plane.deviceUrl).port), '127.0.0.1', () =>
      socket.write(
        `GET /agent/v1/channel HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: cordon.v1\r\nAuthorization: Bearer ${ticketOf(test, device.id)}\r\n\r\n`,
      ),
    );
    let rest = Buffer.alloc(0);
    let upgraded = false;
    const closed = new Promise<number>((done) => {
      socket.on('data', (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk]);
        const end = rest.indexOf('\r\n\r\n');
        if (!upgraded && end >= 0) {
          upgraded = true;
          rest = rest.subarray(end + 4);
        }
        // The server's frames are unmasked and, here, shorter than 64 KiB.
        if (!upgraded) return;
        while (rest.length >= 2) {
          const short = (rest[1] ?? 0) & 0x7f;
          const head = short < 126 ? 2 : 4;
          const length = short < 126 ? short : rest.readUInt16BE(2);
          if (rest[0] === 0x88) done(rest.readUInt16BE(head));
          rest = rest.subarray(head + length);
        }
      });
      socket.on('close', () => done(0));
    });
    socket.on('error', reject);
    socket.once('data', () => resolve({ write: (bytes) => void socket.write(bytes), closed }));
  });

describe('on the channel', () => {
  it('hello comes once', async () => {
    const channel = await greeted();
    channel.send(hello());
    expect(await channel.next('problem')).toMatchObject({ code: 'channel.order' });
    expect(await channel.closed).toEqual({ code: 4400, reason: 'channel.order' });
  });

  it.each([
    ['a NUL in a code', { type: 'ack', epoch: 0, serial: 1, digest: 'a'.repeat(64), phase: 'failed', code: 'a\0b' }, 'channel.frame'],
    [
      'a code that is too long',
      { type: 'ack', epoch: 0, serial: 1, digest: 'a'.repeat(64), phase: 'failed', code: 'x'.repeat(65) },
      'channel.frame',
    ],
    ['a number below zero', { type: 'ack', epoch: 0, serial: -1, digest: 'a'.repeat(64), phase: 'enforced' }, 'channel.frame'],
    [
      'a NUL in a self-test',
      { type: 'selftest', result: { at: 'x', digest: 'a'.repeat(64), passed: true, checks: [{ name: '\0', passed: true, detail: '' }] } },
      'channel.frame',
    ],
    [
      'an identity',
      { type: 'ack', epoch: 0, serial: 1, digest: 'a'.repeat(64), phase: 'enforced', device: 'dev_another' },
      'channel.frame',
    ],
    ['a lone surrogate', '{"type":"ack","code":"\\ud800"}', 'json.refused'],
    ['nested without end', '['.repeat(10_000), 'json.refused'],
    ['bytes that are not UTF-8', raw(1, 2, { payload: Buffer.of(0xc3, 0x28) }), undefined],
  ])('%s is refused', async (_name, message, code) => {
    if (Buffer.isBuffer(message)) {
      const { write, closed } = await byHand();
      write(message);
      expect(await closed).toBe(1007);
      return;
    }
    const channel = await greeted();
    channel.send(message);
    expect((await channel.next('problem')).code).toBe(code);
    expect(await channel.closed).toEqual({ code: 4400, reason: code });
  });

  it('a message in a few pieces is a message; in too many, or too large in all, it ends the session', async () => {
    const pieces = async (socket: WebSocket, parts: number, size: number): Promise<number> => {
      const closed = new Promise<number>((resolve) => socket.once('close', resolve));
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('open', resolve));
      for (let i = 0; i < parts && socket.readyState === WebSocket.OPEN; i += 1) socket.send('x'.repeat(size), { fin: i === parts - 1 });
      return closed;
    };
    const fresh = (): WebSocket => upgrade(test, ticketOf(test, device.id));
    // Whole, and then judged like any text: it is no JSON.
    expect(await pieces(fresh(), 50, 10)).toBe(4400);
    expect(await pieces(fresh(), 100, 1)).toBe(1008);
    expect(await pieces(fresh(), 50, 10_000)).toBe(1009);
  });

  it('a frame that announces more than is allowed ends the session before it comes', async () => {
    for (const length of [262_145, 2 ** 31, 2 ** 52]) {
      const { write, closed } = await byHand();
      write(raw(1, length));
      expect(await closed, String(length)).toBe(1009);
    }
  });

  it('frames that RFC 6455 forbids end the session', async () => {
    for (const [name, bytes] of [
      ['unmasked', Buffer.of(0x81, 0x01, 0x78)],
      ['reserved bits', Buffer.concat([Buffer.of(0xc1, 0x81, 0, 0, 0, 0), Buffer.from('x')])],
      ['reserved opcode', raw(3, 0)],
      ['a continuation of nothing', raw(0, 1, { payload: Buffer.from('x') })],
      ['a ping in pieces', raw(9, 0, { fin: false })],
      ['a ping of 126 bytes', raw(9, 126, { payload: Buffer.alloc(126) })],
    ] as const) {
      const { write, closed } = await byHand();
      write(bytes);
      expect(await closed, name).toBe(1002);
    }
  });

  it('pings are answered, count as messages, and a flood of them ends the session', async () => {
    const socket = upgrade(test, ticketOf(test, device.id));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.ping('hello');
    expect(await new Promise((resolve) => socket.once('pong', (data) => resolve(data.toString())))).toBe('hello');
    const closed = new Promise((resolve) => socket.once('close', (code, reason) => resolve([code, reason.toString()])));
    for (let i = 0; i < 150; i += 1) socket.ping();
    expect(await closed).toEqual([4429, 'channel.rate']);
  });

  it('telemetry of another boot name, of too many events or before hello is refused', async () => {
    const bad: [object, string][] = [
      [{ ...batchAfter(undefined), boot: 'a b' }, 'channel.frame'],
      [{ ...batchAfter(undefined), boot: '' }, 'channel.frame'],
      [batchAfter(undefined, 501), 'channel.frame'],
      [{ ...batchAfter(undefined), events: [] }, 'channel.frame'],
    ];
    for (const [frame, code] of bad) {
      const channel = await greeted();
      channel.send(frame);
      expect((await channel.next('problem')).code).toBe(code);
    }
    const early = connect(test, device.id);
    await early.next('welcome');
    early.send(batchAfter(undefined));
    expect((await early.next('problem')).code).toBe('channel.order');
  });

  it('a refused upgrade leaves no connection behind, also when the client does not hang up', async () => {
    const { server } = test.plane.listeners.device.app;
    const connections = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
    await expect.poll(connections, { timeout: 10_000 }).toBe(0);
    const sockets = Array.from({ length: 10 }, () =>
      net.connect({ port: Number(new URL(test.plane.deviceUrl).port), allowHalfOpen: true }),
    );
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.resume();
      socket.write('GET /agent/v1/channel HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    }
    await expect.poll(() => sockets.every(({ bytesRead }) => bytesRead > 0), { timeout: 5000 }).toBe(true);
    await expect.poll(connections, { timeout: 5000 }).toBe(0);
    for (const socket of sockets) socket.destroy();
  });
});
