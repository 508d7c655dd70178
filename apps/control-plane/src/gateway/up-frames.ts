/** What devices send: one closed schema for each kind, and what the database could not hold is refused. */
import { CordonError } from '@cordon/policy/errors.ts';
import { Ack, HeadFrame, Hello, SelfTestFrame, TelemetryFrame, type UpFrame } from '@cordon/policy/protocol/channel.ts';
import { RequestFrame } from '@cordon/policy/protocol/exception-requests.ts';
import { FindingFrame, HistoryRequest } from '@cordon/policy/protocol/history.ts';
import { InventoryFrame } from '@cordon/policy/protocol/inventory.ts';
import { OrderReply } from '@cordon/policy/protocol/orders.ts';
import { TokenRequest } from '@cordon/policy/protocol/run-tokens.ts';
import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { isStorable as isInventoryStorable } from '../inventory/inventory.ts';
import { isStorable as isRequestStorable } from '../exception-requests/request.ts';
import { isStorable } from './device-facts.ts';

const hello = Compile(Hello);
const ack = Compile(Ack);
const selfTest = Compile(SelfTestFrame);
const telemetry = Compile(TelemetryFrame);
const head = Compile(HeadFrame);
const history = Compile(HistoryRequest);
const finding = Compile(FindingFrame);
const orderReply = Compile(OrderReply);
const inventory = Compile(InventoryFrame);
const token = Compile(TokenRequest);
const request = Compile(RequestFrame);

/** PostgreSQL's integer: numbers beyond it are not ours. */
const MAX_INT = 2_147_483_647;

const typeOf = (value: unknown): unknown => (typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined);

/** Those of a hello that the database keeps. */
const numbersOf = ({ enforcing, integrity }: Static<typeof Hello>): number[] => [
  ...(enforcing === null ? [] : [enforcing.epoch, enforcing.serial]),
  ...(integrity === undefined ? [] : [integrity.counter, integrity.first, integrity.accepted.epoch, integrity.accepted.serial]),
];

/** @throws CordonError channel.frame */
export const frameOf = (value: unknown): UpFrame => {
  switch (typeOf(value)) {
    case 'ack':
      if (ack.Check(value) && value.serial <= MAX_INT && value.epoch <= MAX_INT && !value.code?.includes('\0')) return value;
      break;
    case 'telemetry':
      if (telemetry.Check(value)) return value;
      break;
    case 'head':
      if (head.Check(value)) return value;
      break;
    case 'selftest':
      if (selfTest.Check(value) && !JSON.stringify(value).includes('\\u0000')) return value;
      break;
    case 'order.reply':
      if (orderReply.Check(value) && !value.code?.includes('\0') && !value.proof?.includes('\0')) return value;
      break;
    case 'inventory':
      if (inventory.Check(value) && isInventoryStorable(value)) return value;
      break;
    case 'exception.request':
      if (request.Check(value) && isRequestStorable(value.request)) return value;
      break;
    case 'hello':
      if (
        hello.Check(value) &&
        numbersOf(value).every((number) => number <= MAX_INT) &&
        (value.facts === undefined || isStorable(value.facts))
      )
        return value;
      break;
    default:
      for (const kind of [token, history, finding]) if (kind.Check(value)) return value;
  }
  throw new CordonError('channel.frame', 'the message is not one of those that devices send, or does not fit its schema');
};
