/** Grants and retirements: each thing that must hold is broken alone, by who has all keys but those of the approvers, or too few of them. */
import { describe, expect, it } from 'vitest';
import { codeOf } from './_refusal.ts';
import { after, createWorld, DAY, keyNamed, keysFor, rootDocument } from './_world.ts';
import { sha256Hex } from './digest.ts';
import { signCompact, signGeneral } from './envelope.ts';
import type { KeyPair } from './keys.ts';
import { MAX_MAINTENANCE_MS, MAX_RETIREMENT_MS, verifyMaintenance, verifyRetired, verifyRetirement } from './orders.ts';
import { verifyRootChain } from './root.ts';

const ORG = 'org_a';
const HOUR = 3_600_000;
const BOOT = '11111111-2222-4333-8444-555555555555';
const { roles } = rootDocument(ORG);
/** Two approvers of two. */
const world = await createWorld(ORG, { roles: { ...roles, approver: { ...roles.approver, threshold: 2 } } });
const root = await verifyRootChain(world.roots, world.fingerprint, after(0));
const approvers = keysFor(ORG, 'approver');

const common = {
  org: ORG,
  device: 'dev_0',
  epoch: root.document.epoch,
  issuedAt: after(0).toISOString(),
  expiresAt: after(2 * HOUR).toISOString(),
};
const KINDS = {
  maintenance: {
    typ: 'cordon-maintenance+jws',
    payload: { format: 'cordon-maintenance/1', ...common, boot: BOOT },
    longest: MAX_MAINTENANCE_MS,
    verify: (text: string, now = after(60_000), boot: string | null = BOOT) =>
      verifyMaintenance(text, { root, device: 'dev_0', now }, boot),
  },
  retirement: {
    typ: 'cordon-retirement+jws',
    payload: { format: 'cordon-retirement/1', ...common },
    longest: MAX_RETIREMENT_MS,
    verify: (text: string, now = after(60_000)) => verifyRetirement(text, { root, device: 'dev_0', now }),
  },
} as const;

describe.each(Object.entries(KINDS))('a %s', (name, { typ, payload, longest, verify }) => {
  const signed = (change: object = {}, keys: readonly KeyPair[] = approvers): Promise<string> =>
    signGeneral({ ...payload, ...change }, typ, keys);
  const outcome = async (change: object, keys?: readonly KeyPair[]): Promise<string> => {
    const text = await signed(change, keys);
    return codeOf(() => verify(text));
  };

  it('of as many approvers as the root demands, for this device and now, is what they said', async () => {
    expect(await verify(await signed())).toEqual(payload);
    expect(await outcome({ expiresAt: after(longest).toISOString() })).toBe('accepted');
  });

  it.each<readonly [what: string, code: string, change: object]>([
    ['of another organisation', 'org', { org: 'org_b' }],
    ['for another device', 'device', { device: 'dev_1' }],
    ['of an older epoch', 'epoch', { epoch: common.epoch - 1 }],
    ['of a later epoch', 'epoch', { epoch: common.epoch + 1 }],
    ['that lasts a millisecond too long', 'lifetime', { expiresAt: after(longest + 1).toISOString() }],
    ['that ends before it begins', 'lifetime', { issuedAt: after(2 * HOUR + 1).toISOString() }],
    ['from the future', 'future', { issuedAt: after(HOUR).toISOString() }],
    ['that is over', 'expired', { expiresAt: after(60_000).toISOString() }],
    ['with a member that nobody knows', 'schema', { more: true }],
    ['of another format', 'schema', { format: 'cordon-order/1' }],
    ['without its end', 'schema', { expiresAt: undefined }],
    ['whose end is no time', 'schema', { expiresAt: 'never' }],
  ])('%s is refused', async (_what, code, change) => {
    expect(await outcome(change)).toBe(`${name}.${code}`);
  });

  it('below the threshold is refused, however often one approver signs', async () => {
    const [first = keyNamed('none'), second = first] = approvers;
    expect(await outcome({}, [first])).toBe(`${name}.threshold`);
    expect(await outcome({}, [first, first, first])).toBe(`${name}.threshold`);
    expect(await outcome({}, [first, keyNamed('thief')])).toBe(`${name}.threshold`);
    expect(await outcome({}, [second, first])).toBe('accepted');
  });

  it.each(['root', 'floor', 'policy', 'checkpoint', 'identity'] as const)('by all keys of the role %s is refused', async (role) => {
    expect(await outcome({}, keysFor(ORG, role))).toBe(`${name}.threshold`);
  });

  it('whose payload was changed after signing is refused', async () => {
    const text = JSON.parse(await signed()) as { payload: string };
    const other = Buffer.from(JSON.stringify({ ...payload, device: 'dev_0 ' })).toString('base64url');
    expect(await codeOf(() => verify(JSON.stringify({ ...text, payload: other })))).toBe('jws.signature');
  });

  it('is over at the very millisecond of its end', async () => {
    const text = await signed();
    expect(await codeOf(() => verify(text, after(2 * HOUR - 1)))).toBe('accepted');
    expect(await codeOf(() => verify(text, after(2 * HOUR)))).toBe(`${name}.expired`);
    expect(await codeOf(() => verify(text, new Date(Number.NaN)))).not.toBe('accepted');
  });
});

describe('the two kinds', () => {
  it('do not pass as each other', async () => {
    const [grant, retirement] = [
      await signGeneral(KINDS.maintenance.payload, 'cordon-maintenance+jws', approvers),
      await signGeneral(KINDS.retirement.payload, 'cordon-retirement+jws', approvers),
    ];
    expect(await codeOf(() => KINDS.retirement.verify(grant))).toBe('jws.typ');
    expect(await codeOf(() => KINDS.maintenance.verify(retirement))).toBe('jws.typ');
    // Nor does the one's content under the other's type.
    const mixed = await signGeneral(KINDS.maintenance.payload, 'cordon-retirement+jws', approvers);
    expect(await codeOf(() => KINDS.retirement.verify(mixed))).toBe('retirement.schema');
  });

  it('a grant is for one boot of the machine, and for none where the system knows no boots', async () => {
    const grant = await signGeneral(KINDS.maintenance.payload, 'cordon-maintenance+jws', approvers);
    for (const boot of ['99999999-2222-4333-8444-555555555555', null])
      expect(await codeOf(() => KINDS.maintenance.verify(grant, after(60_000), boot))).toBe('maintenance.boot');
  });
});

describe('the last word of a device', () => {
  const device = keyNamed('device');
  const retirement = 'the text as it was sent';
  const say = (change: object = {}, key = device): Promise<string> =>
    signCompact(
      {
        format: 'cordon-retired/1',
        org: ORG,
        device: 'dev_0',
        retirement: '1'.repeat(64),
        at: after(DAY).toISOString(),
        ...change,
      },
      'cordon-retired+jws',
      key,
    );
  const judge = (proof: string): Promise<string> => codeOf(() => verifyRetired(proof, device.jwk, ORG, 'dev_0', retirement));

  it('is believed of that device about that retirement alone', async () => {
    const right = { retirement: sha256Hex(retirement) };
    expect(await judge(await say(right))).toBe('accepted');
    expect(await judge(await say())).toBe('retired.other');
    expect(await judge(await say({ ...right, device: 'dev_1' }))).toBe('retired.other');
    expect(await judge(await say({ ...right, org: 'org_b' }))).toBe('retired.other');
    expect(await judge(await say({ ...right, at: 'soon' }))).toBe('retired.schema');
    expect(await judge(await say(right, keyNamed('thief')))).toBe('jws.key');
  });
});
