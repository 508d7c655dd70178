/** What a device says on its channel: strict text, one schema per kind, and the session's identity whatever the message claims. */
import type { Buffer } from 'node:buffer';
import { CordonError } from '@cordon/policy/errors.ts';
import { CLOSE, MAX_FRAME_UP, type UpFrame } from '@cordon/policy/protocol/channel.ts';
import { bodyIn } from '@cordon/policy/protocol/batch.ts';
import { OLDEST_PROTOCOL, PROTOCOL, SPOKEN } from '@cordon/policy/protocol/version.ts';
import { readStrictJson } from '@cordon/policy/trust/strict-json.ts';
import type { FastifyBaseLogger } from 'fastify';
import type { Published } from '../publishing/published.ts';
import type { HeadBook } from '../reports/head-book.ts';
import { faultOf } from '../telemetry/chain.ts';
import type { Ingest } from '../telemetry/ingest.ts';
import type { OrderDesk } from '../orders/desk.ts';
import type { TokenDesk } from '../run-identity/desk.ts';
import type { TamperingBook } from '../tampering/integrity.ts';
import type { RequestDesk } from '../exception-requests/desk.ts';
import type { InventoryBook } from '../inventory/book.ts';
import type { HistoryDesk } from '../witness/desk.ts';
import type { ReportBook } from './acks.ts';
import type { FactsBook } from './device-facts.ts';
import type { Push } from './push.ts';
import type { Session } from './session.ts';
import type { TrustFrames } from './trust-frames.ts';
import { frameOf } from './up-frames.ts';

/** RFC 6455 §7.4.1: the server met something unexpected. */
const INTERNAL = 1011;
/** Acknowledgements of one publish are the same bytes from every device: judged once. */
const REMEMBERED = 64;
const MAX_UNREAD = 262_144;

/** A frame, and its text where that is what JSON.stringify writes of it. */
interface Read {
  readonly frame: UpFrame;
  readonly written: string | undefined;
}

export interface Receiver {
  receive(session: Session, data: Buffer, binary: boolean): void;
}

interface Parts {
  readonly published: Published;
  readonly push: Push;
  readonly reports: ReportBook;
  readonly ingest: Ingest;
  readonly facts: FactsBook;
  readonly heads: HeadBook;
  readonly trust: TrustFrames;
  readonly history: HistoryDesk;
  readonly tampering: TamperingBook;
  readonly inventory: InventoryBook;
  readonly requests: RequestDesk;
  readonly orders: OrderDesk;
  readonly tokens: TokenDesk;
  readonly clock: () => Date;
  readonly log: FastifyBaseLogger;
  /** Called when trees and checkpoint do not agree with the database. */
  readonly resync: () => Promise<void>;
}

export const createReceiver = (parts: Parts): Receiver => {
  const { published, push, reports, ingest, facts, heads, trust, history: desk, tampering, orders, tokens, clock, log, resync } = parts;
  const judged = new Map<string, UpFrame>();

  /** @throws CordonError channel.frame, json.* */
  const read = (data: Buffer): Read => {
    const key = data.length <= 512 ? data.toString('latin1') : undefined;
    const known = key === undefined ? undefined : judged.get(key);
    if (known !== undefined) return { frame: known, written: undefined };
    const { value, written } = readStrictJson(data, { maxBytes: MAX_FRAME_UP, maxDepth: 8 });
    const frame = frameOf(value);
    if (key !== undefined && frame.type === 'ack') {
      if (judged.size >= REMEMBERED) judged.clear();
      judged.set(key, frame);
    }
    return { frame, written };
  };

  const refuse = (session: Session, code: string, detail: string): void => {
    session.send({ type: 'problem', code, detail });
    session.close(CLOSE.malformed, code);
  };

  const greet = async (session: Session, held: Extract<UpFrame, { type: 'hello' }>['trust']): Promise<void> => {
    const newer = held === undefined ? undefined : trust.newerThan(held);
    if (newer !== undefined) session.send(newer);
    if (published.checkpoint === undefined) await resync();
    await published.read(() => push.makeCurrent(session));
  };

  const handle = (session: Session, { frame, written }: Read): void => {
    if (frame.type === 'hello') {
      if (session.greeted) return refuse(session, 'channel.order', 'hello comes once, as the first message');
      if (frame.protocol < OLDEST_PROTOCOL || frame.protocol > PROTOCOL)
        return refuse(session, 'channel.protocol', `this server speaks protocol ${SPOKEN}`);
      session.greeted = true;
      session.held = frame.enforcing?.digest;
      session.boot = frame.boot;
      if (frame.facts !== undefined) facts.hear(session.device, frame.facts);
      // Held against what it acknowledged before, so before that is overwritten.
      reports.after(
        tampering
          .hear(session.device, frame.integrity)
          .catch((error: unknown) =>
            log.error({ err: error, device: session.device }, 'what a device says of its state could not be judged'),
          ),
      );
      if (frame.enforcing !== null) {
        const { epoch, serial, digest } = frame.enforcing;
        reports.ack(session.device, { epoch, serial, digest, phase: 'enforced' }, clock());
      }
      orders
        .deliver(session.device)
        .catch((error: unknown) =>
          log.error({ err: error, device: session.device }, 'orders could not be read; they wait for the next hello'),
        );
      greet(session, frame.trust).catch((error: unknown) => {
        log.error({ err: error, device: session.device }, 'a device could not be made current');
        session.close(CLOSE.restart, 'channel.not-ready');
      });
      return;
    }
    if (!session.greeted) return refuse(session, 'channel.order', 'the first message must be hello');
    switch (frame.type) {
      case 'ack': {
        if (frame.phase === 'enforced') session.held = frame.digest;
        reports.ack(session.device, frame, clock());
        return;
      }
      case 'selftest':
        reports.selfTest(session.device, frame.result, clock());
        return;
      case 'head':
        heads.offer(session, frame);
        return;
      case 'exception.request':
        parts.requests.take(session, frame);
        return;
      case 'inventory':
        parts.inventory.hear(session.device, frame);
        return;
      case 'order.reply':
        orders
          .answer(session.device, frame)
          .catch((error: unknown) =>
            log.error({ err: error, device: session.device }, 'an answer could not be stored; the order is sent again'),
          );
        return;
      case 'token':
        tokens.ask(session, frame);
        return;
      case 'history':
        desk.walk(frame).then(
          // Whoever does not read what it asked for gets no more of it.
          (answer) => session.socket.writableLength < MAX_UNREAD && session.write(answer),
          (error: unknown) => log.warn({ err: error, device: session.device }, 'headers could not be read; the device asks again'),
        );
        return;
      case 'finding':
        desk.report(session.device, frame).catch((error: unknown) => {
          if (error instanceof CordonError) return session.send({ type: 'problem', code: error.code, detail: error.message.slice(0, 512) });
          log.error(
            { err: error, device: session.device },
            'a finding of a device could not be stored; it is told again at its next connection',
          );
        });
        return;
      case 'telemetry': {
        const body = bodyIn(frame, written);
        const fault = faultOf(frame, body);
        if (fault === undefined) ingest.offer(session, frame, body);
        else refuse(session, fault, `the batch ${frame.seqFrom} to ${frame.seqTo} is not what its own numbers, times and hash say`);
      }
    }
  };

  return {
    receive: (session, data, binary) => {
      const now = performance.now();
      session.heardAt = now;
      if (!session.open) return;
      if (!session.admit(now)) return session.close(CLOSE.rate, 'channel.rate');
      if (binary) return refuse(session, 'channel.binary', 'messages are text');
      try {
        handle(session, read(data));
      } catch (error) {
        if (error instanceof CordonError) return refuse(session, error.code, error.message.slice(0, 512));
        // A fault of ours: it must cost this one session and not all of them.
        log.error({ err: error, device: session.device }, 'a message of a device could not be handled');
        session.close(INTERNAL, 'channel.internal');
      }
    },
  };
};
