import type pg from 'pg';
import type { OrderKind } from '@cordon/policy/protocol/orders.ts';
import type { Tx } from '../context.ts';
import type { PrismaClient } from '../db/generated/client.ts';
import type { OrderRow } from './order.ts';

/** The PostgreSQL channel on which replicas hear of a device that has an order waiting. */
export const ORDERS_CHANNEL = 'cordon_orders';

export interface NewOrder {
  readonly digest: string;
  readonly device: string;
  readonly kind: OrderKind;
  readonly text: string;
  readonly expiresAt: Date;
  readonly createdBy: string;
  readonly at: Date;
}

/** @returns whether it is new; then replicas hear of it when, and only if, the transaction commits */
export const insertOrder = async (tx: Tx, { digest, device, kind, text, expiresAt, createdBy, at }: NewOrder): Promise<boolean> => {
  const { count } = await tx.deviceOrder.createMany({
    data: [{ digest, deviceId: device, kind, text, expiresAt, createdBy, createdAt: at }],
    skipDuplicates: true,
  });
  if (count === 1) await tx.$executeRaw`SELECT pg_notify(${ORDERS_CHANNEL}, ${device})`;
  return count === 1;
};

export const findOrder = (prisma: Tx | PrismaClient, digest: string): Promise<OrderRow | null> =>
  prisma.deviceOrder.findUnique({ where: { digest } });

export const listOrders = (prisma: PrismaClient, device: string, take: number): Promise<OrderRow[]> =>
  prisma.deviceOrder.findMany({ where: { deviceId: device }, orderBy: [{ createdAt: 'desc' }, { digest: 'desc' }], take });

export interface Waiting {
  readonly device: string;
  readonly kind: OrderKind;
  readonly text: string;
}

/** What these devices have not answered yet, oldest first. */
export const waitingFor = async (pool: pg.Pool, devices: readonly string[], now: Date): Promise<readonly Waiting[]> => {
  const { rows } = await pool.query<Waiting>({
    name: 'orders-waiting',
    text: `SELECT device_id AS device, kind, text FROM device_order
      WHERE device_id = ANY($1::text[]) AND answered_at IS NULL AND expires_at > $2 ORDER BY created_at`,
    values: [devices, now],
  });
  return rows;
};

export interface Answer {
  readonly accepted: boolean;
  readonly code: string | null;
  readonly proof: string | null;
}

/** @returns whether it was not answered yet */
export const writeAnswer = async (tx: Tx, digest: string, { accepted, code, proof }: Answer, at: Date): Promise<boolean> =>
  (await tx.deviceOrder.updateMany({ where: { digest, answeredAt: null }, data: { answeredAt: at, accepted, code, proof } })).count === 1;
