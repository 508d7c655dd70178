/**
 * What approvers tell one device, each by their own keys and at their threshold: a maintenance grant (design §8: instead of a local off switch) and a
 * retirement (the one way out of an organisation). No online key can make either, and each is for one device, one epoch and a short time.
 */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import type { DeviceJwk } from '../protocol/enrollment.ts';
import { MAX_ORDER } from '../protocol/orders.ts';
import { Time } from '../protocol/time.ts';
import { sha256Hex } from './digest.ts';
import { openCompact, openGeneral } from './envelope.ts';
import { admit } from './keys.ts';
import type { TrustedRoot } from './root.ts';

/** Longest that a grant lasts, and longest that a retirement waits for its device. */
export const MAX_MAINTENANCE_MS = 8 * 3_600_000;
export const MAX_RETIREMENT_MS = 30 * 86_400_000;
/** What is issued further ahead than this is a wrong clock or an attack. */
const CLOCK_SKEW_MS = 10 * 60_000;

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 64 });
const common = {
  org: Name,
  device: Name,
  epoch: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  issuedAt: Time,
  expiresAt: Time,
};
/** Payload of `cordon-maintenance+jws`. `boot` is the boot of the machine that the device reported: the grant ends with it. */
export const MaintenanceGrant = Type.Object(
  { format: Type.Literal('cordon-maintenance/1'), ...common, boot: Type.String({ pattern: '^[0-9a-f-]{36}$' }) },
  closed,
);
export type MaintenanceGrant = Static<typeof MaintenanceGrant>;
/** Payload of `cordon-retirement+jws`. */
export const Retirement = Type.Object({ format: Type.Literal('cordon-retirement/1'), ...common }, closed);
export type Retirement = Static<typeof Retirement>;
/** Payload of `cordon-retired+jws`, by the device's key: its last word. `retirement` is the SHA-256 of the text that it obeyed. */
export const Retired = Type.Object(
  { format: Type.Literal('cordon-retired/1'), org: Name, device: Name, retirement: Type.String({ pattern: '^[0-9a-f]{64}$' }), at: Time },
  closed,
);
export type Retired = Static<typeof Retired>;

const [Grant, Leave, Gone] = [Compile(MaintenanceGrant), Compile(Retirement), Compile(Retired)];

/** For whom an order must be, and when it is looked at. */
export interface OrderContext {
  readonly root: TrustedRoot;
  readonly device: string;
  readonly now: Date;
}

const demand: (held: boolean, code: string, message: string) => asserts held = (held, code, message) => {
  if (!held) throw new CordonError(code, message);
};

/** The payload, if as many distinct approver keys signed it as the root demands. */
const openApproved = async (
  text: string,
  typ: 'cordon-maintenance+jws' | 'cordon-retirement+jws',
  kind: string,
  root: TrustedRoot,
): Promise<unknown> => {
  const { payload, kids } = await openGeneral(text, { typ, keys: root.keys('approver'), maxBytes: MAX_ORDER });
  const { threshold } = root.document.roles.approver;
  demand(kids.size >= threshold, `${kind}.threshold`, `the root demands ${threshold} distinct approver keys; ${kids.size} signed`);
  return payload;
};

type Common = Pick<Retirement, 'org' | 'device' | 'epoch' | 'issuedAt' | 'expiresAt'>;

/** The checks that both kinds share, in this order: whose, for whom, which epoch, how long, when. */
const checkCommon = (order: Common, kind: string, longestMs: number, { root, device, now }: OrderContext): void => {
  const { org, epoch } = root.document;
  demand(order.org === org, `${kind}.org`, `it is of another organisation, ${order.org}`);
  demand(order.device === device, `${kind}.device`, `it is for ${order.device}, and this is ${device}`);
  demand(order.epoch === epoch, `${kind}.epoch`, `it is of epoch ${order.epoch}; the root is in epoch ${epoch}`);
  const [issued, expires, at] = [Date.parse(order.issuedAt), Date.parse(order.expiresAt), now.getTime()];
  demand(expires > issued && expires - issued <= longestMs, `${kind}.lifetime`, `it may last ${longestMs / 3_600_000} hours at most`);
  demand(issued <= at + CLOCK_SKEW_MS, `${kind}.future`, `it was issued at ${order.issuedAt}, after this clock`);
  demand(at < expires, `${kind}.expired`, `it ended at ${order.expiresAt}`);
};

/**
 * @param boot of the machine that runs now; null where the system has none, and then no grant fits
 * @throws CordonError `maintenance.threshold|schema|org|device|epoch|lifetime|future|expired|boot`, `jws.*`, `json.*`
 */
export const verifyMaintenance = async (text: string, context: OrderContext, boot: string | null): Promise<MaintenanceGrant> => {
  const grant = await openApproved(text, 'cordon-maintenance+jws', 'maintenance', context.root);
  demand(Grant.Check(grant), 'maintenance.schema', 'not a maintenance grant');
  checkCommon(grant, 'maintenance', MAX_MAINTENANCE_MS, context);
  demand(grant.boot === boot, 'maintenance.boot', 'it is for another boot of this machine: it ended when that did');
  return grant;
};

/** @throws CordonError `retirement.threshold|schema|org|device|epoch|lifetime|future|expired`, `jws.*`, `json.*` */
export const verifyRetirement = async (text: string, context: OrderContext): Promise<Retirement> => {
  const retirement = await openApproved(text, 'cordon-retirement+jws', 'retirement', context.root);
  demand(Leave.Check(retirement), 'retirement.schema', 'not a retirement');
  checkCommon(retirement, 'retirement', MAX_RETIREMENT_MS, context);
  return retirement;
};

/**
 * What a device says when it has obeyed.
 * @param retirement the text that it was sent
 * @throws CordonError `retired.schema|other`, `jws.*`, `json.*`
 */
export const verifyRetired = async (proof: string, key: DeviceJwk, org: string, device: string, retirement: string): Promise<Retired> => {
  const keys = admit(key);
  const { payload } = await openCompact(proof, { typ: 'cordon-retired+jws', keys, maxBytes: 4096 });
  demand(Gone.Check(payload), 'retired.schema', 'not the last word of a device');
  demand(
    payload.org === org && payload.device === device && payload.retirement === sha256Hex(retirement),
    'retired.other',
    'it is about another device or another retirement',
  );
  return payload;
};
