import type { DownFrame } from '@cordon/policy/protocol/channel.ts';
import { PROTOCOL } from '@cordon/policy/protocol/version.ts';
import Fastify from 'fastify';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Ingest } from '../telemetry/ingest.ts';
import { Published } from '../publishing/published.ts';
import type { HeadBook } from '../reports/head-book.ts';
import type { ReportBook } from './acks.ts';
import type { Push } from './push.ts';
import { createReceiver, type Receiver } from './receive.ts';
import type { Session } from './session.ts';

const { log } = Fastify({ logger: false });
const hello = { type: 'hello', protocol: PROTOCOL, boot: 'boot-1', agentVersion: '0.1.0', enforcing: null, checkpoint: null };
const ack = { type: 'ack', epoch: 0, serial: 7, digest: 'a'.repeat(64), phase: 'enforced' };

describe('what a device says', () => {
  let said: DownFrame[];
  let closes: [number, string][];
  let acks: object[];
  let signed: object[];
  let heard: object[];
  let inventories: object[];
  let fault: Error | undefined;
  let receiver: Receiver;
  let session: Session;
  beforeEach(() => {
    said = [];
    heard = [];
    inventories = [];
    closes = [];
    acks = [];
    signed = [];
    fault = undefined;
    const published = new Published('org_1');
    published.checkpoint = { jws: 'j', digest: 'd', epoch: 0, serial: 7, issuedAt: new Date(0), expiresAt: new Date(1) };
    const reports: Pick<ReportBook, 'ack' | 'after'> = {
      after: () => undefined,
      ack: (_device, report) => {
        if (fault !== undefined) throw fault;
        acks.push(report);
      },
    };
    const push: Pick<Push, 'makeCurrent'> = { makeCurrent: () => undefined };
    receiver = createReceiver({
      published,
      push: push as Push,
      reports: reports as ReportBook,
      ingest: {} as Ingest,
      facts: { hear: (_device, facts) => void heard.push(facts) },
      heads: { offer: (_session, frame) => signed.push(frame) } as Pick<HeadBook, 'offer'> as HeadBook,
      trust: { newerThan: () => undefined },
      history: { walk: () => Promise.reject(new Error('nobody asks here')), report: () => Promise.resolve() },
      tampering: { hear: () => Promise.resolve() },
      inventory: { hear: (_device, frame) => void inventories.push(frame) },
      requests: { take: () => undefined },
      orders: { deliver: () => Promise.resolve(), answer: () => Promise.resolve() },
      tokens: { ask: () => undefined },
      clock: () => new Date(0),
      log,
      resync: () => Promise.resolve(),
    });
    session = {
      device: 'dev_1',
      open: true,
      greeted: false,
      held: undefined,
      heardAt: 0,
      admit: () => true,
      send: (frame: DownFrame) => said.push(frame),
      close: (code: number, reason: string) => closes.push([code, reason]),
    } as object as Session;
  });
  const say = (message: object): void => receiver.receive(session, Buffer.from(JSON.stringify(message)), false);

  it('is taken in order: hello, then reports', () => {
    say(hello);
    say(ack);
    say(ack);
    expect([acks.length, session.held, said, closes]).toEqual([2, ack.digest, [], []]);
  });

  it('a signed head is taken as it is, for later, and refused when it could not be stored', () => {
    const head = { type: 'head', boot: 'boot_1', seq: 3, hash: 'a'.repeat(64), head: 'a.b.c' };
    say(hello);
    say(head);
    expect([signed, said, closes]).toEqual([[head], [], []]);
    say({ ...head, head: 'a\0b' });
    expect([signed.length, closes]).toEqual([1, [[4400, 'channel.frame']]]);
  });

  it('an inventory is taken as it is, and refused when it could not be stored or says more than it may', () => {
    const server = { agent: 'codex', osUser: 'ada', name: 'gh', scope: 'user', transport: 'program', program: 'npx', file: '${home}/x' };
    const frame = {
      type: 'inventory',
      digest: 'a'.repeat(64),
      at: '2026-11-24T12:00:00.000Z',
      inventory: { agents: [], servers: [server], uncontained: [], leftOut: 0 },
    };
    const withServer = (other: object): object => ({ ...frame, inventory: { ...frame.inventory, servers: [{ ...server, ...other }] } });
    say(hello);
    say(frame);
    // Six characters that merely look like an escape are a name like any other.
    say(withServer({ name: String.raw`a\u0000b` }));
    expect([inventories.length, closes]).toEqual([2, []]);
    say(withServer({ name: 'a\0b' }));
    say(withServer({ args: ['--token', 'secret'] }));
    expect([inventories.length, closes.map(([code]) => code)]).toEqual([2, [4400, 4400]]);
  });

  it('of itself is kept as it says it at hello, and refused when it could not be stored', () => {
    const facts = {
      name: 'a',
      os: 'linux',
      osVersion: '6.1',
      arch: 'x64',
      agentVersion: '0.2.0',
      assurance: 'system',
      language: 'cordon/v1',
    };
    say({ ...hello, facts: { ...facts, name: 'a\0' } });
    expect([heard, closes.splice(0)]).toEqual([[], [[4400, 'channel.frame']]]);
    say({ ...hello, facts });
    expect([heard, closes]).toEqual([[facts], []]);
  });

  it('is not heard any more once the session is closing', () => {
    say(hello);
    Object.assign(session, { open: false });
    say(ack);
    expect(acks).toEqual([]);
  });

  it('that meets a fault of ours ends that one session, and nothing else', () => {
    say(hello);
    fault = new TypeError('a bug');
    expect(() => say(ack)).not.toThrow();
    expect(closes).toEqual([[1011, 'channel.internal']]);
    expect(said).toEqual([]);
  });
});
