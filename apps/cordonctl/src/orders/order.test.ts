import { describe, expect, it } from 'vitest';
import { codeOf } from '@cordon/policy/trust/_refusal.ts';
import { after, createWorld, keysFor, rootDocument } from '@cordon/policy/trust/_world.ts';
import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import { verifyMaintenance, verifyRetirement } from '@cordon/policy/trust/orders.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import { addSignatures, grantOf, retirementOf } from './order.ts';

const BOOT = '11111111-2222-4333-8444-555555555555';
const { roles } = rootDocument('org_a');
const world = await createWorld('org_a', { roles: { ...roles, approver: { ...roles.approver, threshold: 2 } } });
const root = await verifyRootChain(world.roots, world.fingerprint, after(0));
const [first, second] = keysFor('org_a', 'approver');
const context = { root, device: 'dev_0', now: after(1000) };
const wanted = (hours: number) => ({ root: root.document, device: 'dev_0', now: after(0), hours });

describe('what cordonctl signs for a device', () => {
  it('is what the device accepts, also when its approvers sign one after the other', async () => {
    if (first === undefined || second === undefined) return expect.fail('two approvers');
    const grant = await signGeneral(grantOf(wanted(8), BOOT), 'cordon-maintenance+jws', [first]);
    expect(await codeOf(() => verifyMaintenance(grant, context, BOOT))).toBe('maintenance.threshold');
    const both = await addSignatures(grant, 'cordon-maintenance+jws', [second]);
    expect(await verifyMaintenance(both, context, BOOT)).toMatchObject({ device: 'dev_0', boot: BOOT });
    const retirement = await signGeneral(retirementOf(wanted(720)), 'cordon-retirement+jws', [first, second]);
    expect(await verifyRetirement(retirement, context)).toMatchObject({ device: 'dev_0', epoch: 3 });
  });

  it('the same approver twice is one', async () => {
    if (first === undefined) return expect.fail('an approver');
    const grant = await signGeneral(grantOf(wanted(1), BOOT), 'cordon-maintenance+jws', [first]);
    const twice = await addSignatures(grant, 'cordon-maintenance+jws', [first]);
    expect(await codeOf(() => verifyMaintenance(twice, context, BOOT))).toBe('maintenance.threshold');
  });

  it.each([0, -1, 9, Number.NaN, Number.POSITIVE_INFINITY])('lasts no %s hours', async (hours) => {
    expect(await codeOf(() => grantOf(wanted(hours), BOOT))).toBe('maintenance.lifetime');
    if (hours !== 9) expect(await codeOf(() => retirementOf(wanted(hours)))).toBe('retirement.lifetime');
  });

  it('is not something else that was signed on other bytes', async () => {
    if (first === undefined) return expect.fail('an approver');
    const spaced = Buffer.from('{ "format": "cordon-maintenance/1" }').toString('base64url');
    const text = JSON.stringify({ payload: spaced, signatures: [] });
    expect(await codeOf(() => addSignatures(text, 'cordon-maintenance+jws', [first]))).toBe('order.text');
  });
});
