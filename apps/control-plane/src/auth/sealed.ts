/**
 * Challenges and tickets that any replica can open, and none has to remember: what they say, when they end, and a MAC over both. A flood of them costs
 * no memory. Whether one was used is known where that matters: a session has a number, which a device's sessions only ever raise (join.ts).
 */
import { Buffer } from 'node:buffer';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { PrismaClient } from '../db/generated/client.ts';

/** One never passes as another. */
export type Purpose = 'enroll-challenge' | 'session-challenge' | 'rekey-challenge' | 'ticket';

export interface Sealed {
  /** base64url */
  readonly secret: string;
  readonly expiresAt: Date;
}

export interface Sealer {
  /** @param about what it is for and does not carry: whoever opens it must name the same. @param body what it carries; random bytes unless given */
  seal(purpose: Purpose, about: string, body?: Buffer): Sealed;
  /** @returns what it carries; undefined when it has ended, is for another purpose or about something else, or is not ours */
  open(purpose: Purpose, about: string, secret: string): Buffer | undefined;
}

export const TTL_MS = 60_000;
const END_BYTES = 6;
const MAC_BYTES = 16;

export const createSealer = (key: Buffer, now: () => Date): Sealer => {
  const macOf = (purpose: Purpose, about: string, sealed: Buffer): Buffer =>
    createHmac('sha256', key).update(`${purpose}\0${about}\0`).update(sealed).digest().subarray(0, MAC_BYTES);
  return {
    seal: (purpose, about, body = randomBytes(16)) => {
      const expiresAt = new Date(now().getTime() + TTL_MS);
      const end = Buffer.alloc(END_BYTES);
      end.writeUIntBE(expiresAt.getTime(), 0, END_BYTES);
      const sealed = Buffer.concat([body, end]);
      return { secret: Buffer.concat([sealed, macOf(purpose, about, sealed)]).toString('base64url'), expiresAt };
    },
    open: (purpose, about, secret) => {
      const bytes = Buffer.from(secret, 'base64url');
      if (bytes.length <= END_BYTES + MAC_BYTES || bytes.toString('base64url') !== secret) return undefined;
      const sealed = bytes.subarray(0, -MAC_BYTES);
      if (!timingSafeEqual(macOf(purpose, about, sealed), bytes.subarray(-MAC_BYTES))) return undefined;
      const ends = sealed.readUIntBE(sealed.length - END_BYTES, END_BYTES);
      return ends > now().getTime() ? sealed.subarray(0, -END_BYTES) : undefined;
    },
  };
};

/**
 * The key of all replicas: made of a secret in the database, written at the first start, and of the service's database password, which is not in it.
 * So a copy of the database alone opens and makes nothing.
 */
export const sharedKey = async (prisma: PrismaClient, databasePassword: string): Promise<Buffer> => {
  const secret = randomBytes(32).toString('base64url');
  await prisma.organisation.updateMany({ where: { id: 1, channelSecret: null }, data: { channelSecret: secret } });
  const { channelSecret } = await prisma.organisation.findUniqueOrThrow({ where: { id: 1 }, select: { channelSecret: true } });
  return createHmac('sha256', databasePassword).update(`cordon-channel/1 ${channelSecret}`).digest();
};
