import { describe, expect, it } from 'vitest';
import { codeOf } from '../trust/_refusal.ts';
import { after, createWorld, DAY, ISSUED, keysFor, rootDocument } from '../trust/_world.ts';
import { signGeneral } from '../trust/envelope.ts';
import { verifyRootChain, type TrustedRoot } from '../trust/root.ts';
import { MAX_APPROVAL_MS, type ApprovalPayload } from './approval.ts';
import { signApproval, verifyApproval } from './signed-approval.ts';

const payload = (change: Partial<ApprovalPayload> = {}): ApprovalPayload => ({
  format: 'cordon-approval/1',
  org: 'org_a',
  epoch: 3,
  from: null,
  to: 'a'.repeat(64),
  issuedAt: ISSUED.toISOString(),
  expiresAt: after(DAY).toISOString(),
  wayBackUntil: null,
  ...change,
});
const approvers = keysFor('org_a', 'approver');
const rootWith = async (threshold: number, expiresAt = after(365 * DAY)): Promise<TrustedRoot> => {
  const { roles } = rootDocument('org_a');
  const world = await createWorld('org_a', {
    expiresAt: expiresAt.toISOString(),
    roles: { ...roles, approver: { ...roles.approver, threshold } },
  });
  return verifyRootChain(world.roots, world.fingerprint, ISSUED);
};
const now = after(60_000);

describe('an approval', async () => {
  const [one, two] = [await rootWith(1), await rootWith(2)];
  const [first, second] = approvers;
  if (first === undefined || second === undefined) throw new Error('two approvers are needed');

  it('counts distinct approvers of the newest root, not signatures', async () => {
    const outcome = async (root: TrustedRoot, signers: Parameters<typeof signApproval>[1]): Promise<string> =>
      codeOf(async () => verifyApproval(await signApproval(payload(), signers), root, now));
    expect(await outcome(one, [first])).toBe('accepted');
    expect(await outcome(two, [first, second])).toBe('accepted');
    expect(await outcome(two, [first])).toBe('approval.threshold');
    expect(await outcome(two, [first, first])).toBe('approval.threshold');
    expect(await outcome(one, keysFor('org_b', 'approver'))).toBe('approval.threshold');
    // Neither the online keys nor the root's approve.
    for (const role of ['policy', 'checkpoint', 'root', 'floor'] as const)
      expect(await outcome(one, keysFor('org_a', role))).toBe('approval.threshold');
    const good = JSON.parse(await signApproval(payload(), [first])) as { signatures: { signature: string }[] };
    const bad = { ...good, signatures: good.signatures.map((one) => ({ ...one, signature: `AAAA${one.signature.slice(4)}` })) };
    expect(await codeOf(() => verifyApproval(JSON.stringify(bad), one, now))).toBe('jws.signature');
  });

  it('is of this organisation and epoch, of now, and lives 30 days at most', async () => {
    const outcome = async (change: Partial<ApprovalPayload>, at = now): Promise<string> =>
      codeOf(async () => verifyApproval(await signApproval(payload(change), [first]), one, at));
    const until = (ms: number): string => after(ms).toISOString();
    expect(await outcome({ org: 'org_b' })).toBe('approval.org');
    expect(await outcome({ epoch: 2 })).toBe('approval.epoch');
    expect(await outcome({ epoch: 4 })).toBe('approval.epoch');
    expect(await outcome({ expiresAt: until(MAX_APPROVAL_MS) })).toBe('accepted');
    expect(await outcome({ expiresAt: until(MAX_APPROVAL_MS + 1) })).toBe('approval.lifetime');
    expect(await outcome({ expiresAt: until(0) })).toBe('approval.lifetime');
    expect(await outcome({ wayBackUntil: until(MAX_APPROVAL_MS) })).toBe('accepted');
    expect(await outcome({ wayBackUntil: until(MAX_APPROVAL_MS + 1) })).toBe('approval.lifetime');
    expect(await outcome({}, after(DAY - 1))).toBe('accepted');
    expect(await outcome({}, after(DAY))).toBe('approval.expired');
    expect(await outcome({}, after(-15 * 60_000))).toBe('accepted');
    expect(await outcome({}, after(-15 * 60_000 - 1))).toBe('approval.future');
    expect(await outcome({ format: 'cordon-approval/2' } as object)).toBe('approval.schema');
    expect(await outcome({ extra: 1 } as object)).toBe('approval.schema');
  });

  it('counts for nothing under a root that has expired', async () => {
    const root = await rootWith(1, after(1000));
    expect(await codeOf(async () => verifyApproval(await signApproval(payload(), [first]), root, now))).toBe('approval.root-expired');
  });

  it('is nothing else that approvers sign', async () => {
    for (const typ of ['cordon-maintenance+jws', 'cordon-retirement+jws'] as const)
      expect(await codeOf(async () => verifyApproval(await signGeneral(payload(), typ, [first]), one, now))).toBe('jws.typ');
  });
});
