import type { DownFrame } from '@cordon/policy/protocol/channel.ts';
import { PROTOCOL } from '@cordon/policy/protocol/version.ts';
import Fastify from 'fastify';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Ingest } from '../telemetry/ingest.ts';
import { Published } from '../publishing/published.ts';
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
  let fault: Error | undefined;
  let receiver: Receiver;
  let session: Session;
  beforeEach(() => {
    said = [];
    closes = [];
    acks = [];
    fault = undefined;
    const published = new Published('org_1');
    published.checkpoint = { jws: 'j', digest: 'd', epoch: 0, serial: 7, issuedAt: new Date(0), expiresAt: new Date(1) };
    const reports: Pick<ReportBook, 'ack'> = {
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
      trust: { newerThan: () => undefined },
      history: { walk: () => Promise.reject(new Error('nobody asks here')), report: () => Promise.resolve() },
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
