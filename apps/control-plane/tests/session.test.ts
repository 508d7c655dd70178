/** Sessions at one control plane: challenge, proof, ticket, and what a line of sessions shows. */
import type { Join } from '@cordon/policy/protocol/enrollment.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { forgetLines } from '../src/gateway/lines.ts';
import { converse, enrol, hello, sessionProof, ticketOf, upgrade, type TestChannel } from './_channel.ts';
import { newKey, startPlane, type Answer, type TestPlane } from './_util.ts';

let test: TestPlane;
beforeAll(async () => {
  test = await startPlane();
});
afterAll(() => test.close());

type Reply = Answer<{ ticket?: string; behind?: number; code?: string }>;
const challenge = async (device: string): Promise<string> =>
  (await test.device<{ nonce: string }>('POST', '/session/challenge', { device })).body.nonce;
const prove = async (device: string, key: KeyPair, join?: Join, nonce?: string): Promise<Reply> =>
  test.device('POST', '/session', { device, proof: await sessionProof(test, device, nonce ?? (await challenge(device)), key, join) });
const refusal = ({ status, body }: Reply): unknown => [status, body.code];
/** The status that an upgrade is refused with. */
const statusOf = async (socket: WebSocket): Promise<number | undefined> => {
  socket.on('error', () => undefined);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  return response.statusCode;
};

/** An endpoint's line of sessions, with its key. */
class Endpoint {
  readonly key: KeyPair;
  readonly device: string;
  join: { count: number; last: string; next: string | undefined };
  constructor(device: string, key: KeyPair, join: Endpoint['join'] = { count: 0, last: 'none', next: undefined }) {
    this.device = device;
    this.key = key;
    this.join = join;
  }
  attempt(): Join {
    const { count, last, next = randomBytes(16).toString('base64url') } = this.join;
    this.join = { count: count + 1, last, next };
    return { count: count + 1, last, next };
  }
  /** A session as the agent opens one. */
  async open(): Promise<TestChannel> {
    let reply = await prove(this.device, this.key, this.attempt());
    if (reply.body.behind !== undefined) {
      this.join = { ...this.join, count: reply.body.behind };
      reply = await prove(this.device, this.key, this.attempt());
    }
    const channel = converse(upgrade(test, reply.body.ticket ?? ''));
    await channel.next('welcome');
    this.join = { count: this.join.count, last: this.join.next ?? '', next: undefined };
    return channel;
  }
  copy(): Endpoint {
    return new Endpoint(this.device, this.key, { ...this.join });
  }
}
const endpoint = async (): Promise<Endpoint> => {
  const key = newKey();
  return new Endpoint((await enrol(test, undefined, key)).id, key);
};
const findings = async (device: string): Promise<unknown> =>
  (await test.admin<{ findings: { kind: string }[] }>('GET', `/devices/${device}`)).body.findings.map(({ kind }) => kind);
const audited = async (device: string): Promise<unknown> =>
  (
    await test.admin<{ items: { detail: { kind: string } }[] }>('GET', `/audit?subject=${device}&action=device.clone-or-restore`)
  ).body.items.map(({ detail }) => detail.kind);

describe('a session', () => {
  it("is given to the device's key, and to nobody else, nor after revocation", async () => {
    const { device, key } = await endpoint();
    expect((await prove(device, key)).status).toBe(200);
    expect(refusal(await prove(device, newKey()))).toEqual([401, 'session.refused']);
    expect(refusal(await prove('dev_AAAAAAAAAAAAAAAAAAAA', key))).toEqual([401, 'session.refused']);
    expect(refusal(await prove(device, key, undefined, 'B'.repeat(43)))).toEqual([401, 'session.refused']);
    expect(refusal(await prove(device, key, undefined, await challenge('dev_AAAAAAAAAAAAAAAAAAAA')))).toEqual([401, 'session.refused']);
    expect(refusal(await prove(device, key, { count: 0, last: 'x', next: 'y' }))).toEqual([401, 'session.refused']);
    expect(refusal(await prove(device, key, { count: 1.5, last: 'x', next: 'y' }))).toEqual([401, 'session.refused']);
    expect(refusal(await prove(device, key, { count: 5, last: 'x', next: 'y', more: 1 } as Join))).toEqual([401, 'session.refused']);
    expect((await test.admin('POST', `/devices/${device}/revoke`)).status).toBe(200);
    expect(refusal(await prove(device, key))).toEqual([401, 'session.refused']);
    expect(await statusOf(upgrade(test, ticketOf(test, device)))).toBe(403);
  });

  it('opens one channel for a proof, whoever sends that again, and a ticket opens one channel', async () => {
    const { device, key } = await endpoint();
    const nonce = await challenge(device);
    const proof = await sessionProof(test, device, nonce, key, { count: 1, last: 'a', next: 'b' });
    const first = (await test.device<{ ticket: string }>('POST', '/session', { device, proof })).body.ticket;
    const second = (await test.device<{ ticket: string }>('POST', '/session', { device, proof })).body.ticket;
    const channel = converse(upgrade(test, first));
    await channel.next('welcome');
    expect([await statusOf(upgrade(test, first)), await statusOf(upgrade(test, second))]).toEqual([401, 401]);
    expect((await test.device<{ behind: number }>('POST', '/session', { device, proof })).body).toEqual({ behind: 1 });
    expect(await findings(device)).toEqual([]);
    channel.close();
  });

  it('of twenty that come at once with numbers in any order is one: the newest', async () => {
    const { device, key } = await endpoint();
    const join = { last: 'a', next: 'a' };
    const tickets = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => (await prove(device, key, { ...join, count: ((i * 7) % 20) + 1 })).body.ticket ?? ''),
    );
    const sockets = tickets.map((ticket) => upgrade(test, ticket).on('error', () => undefined));
    const states = (): number[] => sockets.map(({ readyState }) => readyState).toSorted();
    // One is open, all others were refused or replaced.
    await expect.poll(states, { timeout: 10_000 }).toEqual([1, ...Array.from({ length: 19 }, () => 3)]);
    expect(sockets[tickets.indexOf(tickets.find((_, i) => ((i * 7) % 20) + 1 === 20) ?? '')]?.readyState).toBe(1);
    const kept = await test.plane.context.prisma.deviceJoin.findUniqueOrThrow({ where: { deviceId: device } });
    expect(kept.joins).toBe(20);
  });
});

describe('the line of sessions', () => {
  it('of one machine shows nothing, also when answers are lost', async () => {
    const machine = await endpoint();
    for (let i = 0; i < 3; i += 1) (await machine.open()).close();
    await prove(machine.device, machine.key, machine.attempt());
    machine.attempt();
    (await machine.open()).close();
    expect([await findings(machine.device), await audited(machine.device)]).toEqual([[], []]);
  });

  it('of a machine that was put back is a finding, costs its compliance, and its session opens', async () => {
    const machine = await endpoint();
    (await machine.open()).close();
    const snapshot = machine.copy();
    (await machine.open()).close();
    const channel = await snapshot.open();
    channel.send(hello());
    expect(await findings(machine.device)).toEqual(['restore']);
    expect(await audited(machine.device)).toEqual(['restore']);
    const { body } = await test.admin<{ state: string; reasons: { code: string }[] }>('GET', `/devices/${machine.device}/compliance`);
    expect([body.state, body.reasons.map(({ code }) => code)]).toEqual([
      'NonCompliant',
      expect.arrayContaining(['device.clone-or-restore']),
    ]);
    channel.close();
    // It goes on as before; the finding stays until a person has looked into it.
    (await snapshot.open()).close();
    expect([await findings(machine.device), await audited(machine.device)]).toEqual([['restore'], ['restore']]);
    const settle = { body: { finding: 'device.clone-or-restore' } };
    expect((await test.admin('POST', `/devices/${machine.device}/settle`, settle)).status).toBe(200);
    expect((await test.admin('POST', `/devices/${machine.device}/settle`, settle)).status).toBe(200);
    expect(await findings(machine.device)).toEqual([]);
    const log = await test.admin<{ items: unknown[] }>('GET', `/audit?subject=${machine.device}&action=device.settle`);
    expect(log.body.items).toHaveLength(1);
    (await snapshot.open()).close();
    expect(await findings(machine.device)).toEqual([]);
  });

  it('of two machines with one key is told apart from that: the newest has the session, and the audit log says so once', async () => {
    const first = await endpoint();
    (await first.open()).close();
    const second = first.copy();
    const held = await first.open();
    const taken = await second.open();
    expect(await held.closed).toEqual({ code: 4409, reason: 'channel.replaced' });
    expect(await findings(first.device)).toEqual(['restore']);
    for (const machine of [first, second, first]) (await machine.open()).close();
    expect(await findings(first.device)).toEqual(['clone']);
    expect(await audited(first.device)).toEqual(['clone', 'restore']);
    taken.close();
  });

  it('shows nothing after a restore of the database, once the root has said so', async () => {
    const machine = await endpoint();
    (await machine.open()).close();
    const { prisma } = test.plane.context;
    const backup = await prisma.deviceJoin.findUniqueOrThrow({ where: { deviceId: machine.device } });
    for (let i = 0; i < 3; i += 1) (await machine.open()).close();
    await prisma.deviceJoin.update({ where: { deviceId: machine.device }, data: { joins: backup.joins, mark: backup.mark } });
    await prisma.$transaction(forgetLines);
    for (let i = 0; i < 3; i += 1) (await machine.open()).close();
    expect([await findings(machine.device), await audited(machine.device)]).toEqual([[], []]);
  });

  it('does not leap', async () => {
    const { device, key } = await endpoint();
    const far = (await prove(device, key, { count: 2_000_000, last: 'a', next: 'b' })).body.ticket ?? '';
    expect(await statusOf(upgrade(test, far))).toBe(401);
  });
});
