/** What approvers sign for one device. Pure but for the keys that sign. */
import { CordonError } from '@cordon/policy/errors.ts';
import { signGeneral, type ObjectType, type Signer } from '@cordon/policy/trust/envelope.ts';
import { MAX_MAINTENANCE_MS, MAX_RETIREMENT_MS, type MaintenanceGrant, type Retirement } from '@cordon/policy/trust/orders.ts';
import type { RootDocument } from '@cordon/policy/trust/root.ts';

const HOUR_MS = 3_600_000;

/** For which device, of which root, from when on and for how long. */
export interface Wanted {
  readonly root: RootDocument;
  readonly device: string;
  readonly now: Date;
  readonly hours: number;
}

const common = ({ root, device, now, hours }: Wanted, longestMs: number, code: string): Omit<Retirement, 'format'> => {
  if (!(hours > 0 && hours * HOUR_MS <= longestMs)) throw new CordonError(code, `--hours is from 1 to ${longestMs / HOUR_MS}`);
  const { org, epoch } = root;
  return { org, device, epoch, issuedAt: now.toISOString(), expiresAt: new Date(now.getTime() + hours * HOUR_MS).toISOString() };
};

/** @param boot of the device's machine, as `GET /devices/ID/integrity` shows it */
export const grantOf = (wanted: Wanted, boot: string): MaintenanceGrant => ({
  format: 'cordon-maintenance/1',
  ...common(wanted, MAX_MAINTENANCE_MS, 'maintenance.lifetime'),
  boot,
});

export const retirementOf = (wanted: Wanted): Retirement => ({
  format: 'cordon-retirement/1',
  ...common(wanted, MAX_RETIREMENT_MS, 'retirement.lifetime'),
});

interface General {
  readonly payload: string;
  readonly signatures: readonly { readonly protected: string; readonly signature: string }[];
}

/** Signs what others have signed already, exactly that, and keeps their signatures. @param text of an order */
export const addSignatures = async (text: string, typ: ObjectType, signers: readonly Signer[]): Promise<string> => {
  const before = JSON.parse(text) as General;
  const payload = JSON.parse(Buffer.from(before.payload, 'base64url').toString('utf8')) as object;
  const added = JSON.parse(await signGeneral(payload, typ, signers)) as General;
  if (added.payload !== before.payload) throw new CordonError('order.text', 'this is no order as cordonctl writes it');
  return JSON.stringify({ payload: before.payload, signatures: [...before.signatures, ...added.signatures] });
};
