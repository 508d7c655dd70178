/** Takes orders to devices that are connected, and their answers back. A retirement that was obeyed ends the device's record too. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { DownFrame } from '@cordon/policy/protocol/channel.ts';
import { DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import type { OrderReply } from '@cordon/policy/protocol/orders.ts';
import { verifyRetired } from '@cordon/policy/trust/orders.ts';
import { Compile } from 'typebox/compile';
import { appendAudit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { endDevices, findDeviceKey } from '../devices/devices.ts';
import { coalesce } from '../publishing/coalesce.ts';
import type { OrderRow } from './order.ts';
import { findOrder, ORDERS_CHANNEL, waitingFor, writeAnswer, type Answer } from './store.ts';

export { ORDERS_CHANNEL };

const Jwk = Compile(DeviceJwk);

export interface OrderDesk {
  /** Sends a device what it has not answered, if it is connected here. */
  deliver(device: string): Promise<void>;
  /** @param device the session's */
  answer(device: string, reply: OrderReply): Promise<void>;
}

/** @param send hands a frame to the session of a device on this replica, if there is one */
export const createOrderDesk = (context: Context, send: (device: string, frame: DownFrame) => void): OrderDesk => {
  const { pool, prisma, clock, organisation, log } = context;
  const deliver = coalesce<string>(async (devices) => {
    for (const { device, kind, text } of await waitingFor(pool, devices, clock())) send(device, { type: 'order', order: kind, text });
  });

  /** A device that says it has left must prove it: whoever has its session alone cannot. */
  const proven = async (order: OrderRow, reply: OrderReply): Promise<Answer> => {
    const answer = { accepted: reply.accepted, code: reply.code ?? null, proof: reply.proof ?? null };
    if (order.kind !== 'retirement' || !reply.accepted) return answer;
    const key = await findDeviceKey(prisma, order.deviceId);
    try {
      const jwk: unknown = key?.jwk;
      if (!Jwk.Check(jwk)) throw new CordonError('retired.other', 'the device has no key here');
      await verifyRetired(reply.proof ?? '', jwk, organisation.orgId, order.deviceId, order.text);
      return answer;
    } catch (error) {
      if (!(error instanceof CordonError)) throw error;
      log.warn({ err: error, device: order.deviceId }, 'a device says that it is retired and does not prove it');
      return { ...answer, accepted: false, code: error.code.slice(0, 64) };
    }
  };

  return {
    deliver: (device) => deliver([device]),
    answer: async (device, reply) => {
      const order = await findOrder(prisma, reply.digest);
      // An order of another device is none of this one's.
      if (order?.deviceId !== device || order.answeredAt !== null) return;
      const answer = await proven(order, reply);
      const at = clock();
      const isNew = await prisma.$transaction(async (tx) => {
        if (!(await writeAnswer(tx, order.digest, answer, at))) return false;
        await appendAudit(tx, {
          actor: `device:${device}`,
          action: `device.${order.kind}-${answer.accepted ? 'accepted' : 'refused'}`,
          subject: device,
          detail: { order: order.digest, ...(answer.code !== null && { code: answer.code }) },
          at,
        });
        return true;
      });
      if (isNew && answer.accepted && order.kind === 'retirement')
        await endDevices(context, { devices: [device], end: 'retired', actor: `device:${device}` });
    },
  };
};
