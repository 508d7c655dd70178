/** What a device's hello says of its own state, against what it said before and what it acknowledged. Pure. */
import type { EndedBy, Integrity } from '@cordon/policy/protocol/orders.ts';

export const FINDINGS = ['device.state-lost', 'device.state-restored', 'device.daemon-crashed', 'device.daemon-stopped'] as const;
/** The graver one first: of two that stand, this one is shown. */
export type FindingCode = (typeof FINDINGS)[number];

export const isFinding = (text: string | null): text is FindingCode => FINDINGS.some((code) => code === text);

export interface Finding {
  readonly code: FindingCode;
  readonly detail: string;
}

interface Height {
  readonly epoch: number;
  readonly serial: number;
}

/** What the control plane has of a device. */
export interface Known {
  /** Of its last hello. */
  readonly said: (Height & { readonly state: string; readonly counter: number }) | undefined;
  /** What it acknowledged last as enforced and stored. */
  readonly acknowledged: Height | undefined;
}

const isBelow = (a: Height, b: Height): boolean => (a.epoch === b.epoch ? a.serial < b.serial : a.epoch < b.epoch);
const show = ({ epoch, serial }: Height): string => `serial ${serial} of epoch ${epoch}`;

const ENDS: Readonly<Partial<Record<EndedBy, Finding>>> = {
  stop: {
    code: 'device.daemon-stopped',
    detail: 'the daemon was stopped and started again while the machine ran, and no maintenance was granted',
  },
  crash: {
    code: 'device.daemon-crashed',
    detail: 'the daemon ended without a word while the machine ran: it crashed or was killed, and no maintenance was granted',
  },
};

/** @returns what an administrator should look at, if anything */
export const judgeHello = ({ said, acknowledged }: Known, now: Integrity | undefined): Finding | undefined => {
  if (now === undefined)
    return said && { code: 'device.state-lost', detail: 'it says nothing of its state any more, as an older agent does' };
  const lost = (detail: string): Finding => ({ code: 'device.state-lost', detail });
  const restored = (detail: string): Finding => ({ code: 'device.state-restored', detail });
  if (said !== undefined && now.state !== said.state)
    return lost(`its state was deleted or damaged and made anew; before, it had accepted ${show(said)}, and now ${show(now.accepted)}`);
  if (said !== undefined && (now.counter < said.counter || (now.counter === said.counter && now.stored)))
    return restored(`this is hello ${now.counter} of its state, after hello ${said.counter}: an older copy was put back, or there are two`);
  for (const highest of [said, acknowledged])
    if (highest !== undefined && isBelow(now.accepted, highest))
      return restored(`it had accepted ${show(highest)}, and now says ${show(now.accepted)}`);
  // A daemon of its user ends whenever that user goes.
  const isNewProcess = said === undefined || now.first > said.counter;
  return isNewProcess && now.assurance === 'system' ? ENDS[now.after] : undefined;
};

/** What stands after another one was found. */
export const graver = (standing: FindingCode | undefined, found: FindingCode): FindingCode =>
  standing !== undefined && FINDINGS.indexOf(standing) < FINDINGS.indexOf(found) ? standing : found;
