/** Steps 5 to 8 of `verifyState`: manifest, bytes, content, rules, freshness. Each demand has its own case, in which nothing but that demand stands in the way. */
import { describe, expect, it } from 'vitest';
import type { BundleContent } from '../effective.ts';
import { codeOf } from './_refusal.ts';
import { after, contentOf, createWorld, DAY, FLEET, keysFor, policyDocument, stateFor, type Fleet, type Forgery } from './_world.ts';
import { CHECKPOINT_LIFETIME_MS, EXPIRED_AFTER_MS } from './checkpoint.ts';
import { sha256Hex } from './digest.ts';
import { verifyState, type StateInput } from './verify.ts';

const world = await createWorld('org_a');
const honest = await stateFor(world, FLEET, 0);
const outcome = (input: StateInput): Promise<string> => codeOf(() => verifyState(input));
const forged = async (forgery: Forgery, change: Partial<StateInput> = {}): Promise<string> =>
  outcome({ ...(await stateFor(world, FLEET, 0, forgery)), ...change });
const frame = (change: Partial<StateInput['frame']>): Promise<string> => outcome({ ...honest, frame: { ...honest.frame, ...change } });

describe('step 5: the manifest', () => {
  it('signed by a key of another role is refused', async () => {
    for (const role of ['checkpoint', 'floor', 'root', 'approver', 'identity'] as const) {
      const [policyKey] = keysFor('org_a', role);
      if (policyKey !== undefined) expect(await forged({ policyKey })).toBe('jws.key');
    }
  });

  it.each<readonly [why: string, change: NonNullable<Forgery['manifest']>]>([
    ['an extra member', (manifest) => ({ ...manifest, audience: '*' })],
    ['an extra member of a revision', (manifest) => ({ ...manifest, revisions: manifest.revisions.map((r) => ({ ...r, note: '' })) })],
    ['a missing member', (manifest) => ({ ...manifest, onExpiry: undefined })],
    ['another format', (manifest) => ({ ...manifest, format: 'cordon-manifest/2' })],
    ['another language version', (manifest) => ({ ...manifest, language: 'cordon/v2' })],
    ['another answer to expiry', (manifest) => ({ ...manifest, onExpiry: 'hold' })],
    ['a digest in capitals', (manifest) => ({ ...manifest, digest: manifest.digest.toUpperCase() })],
    ['an expiry that is no time', (manifest) => ({ ...manifest, expiresAt: '2026-99-99T99:99:99.999Z' })],
    ['an issue time that is no time', (manifest) => ({ ...manifest, issuedAt: '2026-02-30T00:00:00.000Z' })],
  ])('with %s is refused', async (_why, manifest) => {
    expect(await forged({ manifest })).toBe('manifest.schema');
    expect(await forged({ manifest }, { receipt: false })).toBe('manifest.schema');
  });

  it('of another organisation is refused', async () => {
    expect(await forged({ manifest: (manifest) => ({ ...manifest, org: 'org_b' }) })).toBe('manifest.org');
  });

  it('of another digest than the cohort has is refused', async () => {
    expect(await forged({ manifest: (manifest) => ({ ...manifest, digest: sha256Hex('other') }) })).toBe('manifest.digest');
    const lax = await stateFor(world, FLEET, 1);
    expect(await frame({ manifest: lax.frame.manifest, bundle: lax.frame.bundle })).toBe('manifest.digest');
  });

  it('of an older bundle is refused under a newer checkpoint', async () => {
    const next: Fleet = {
      ...FLEET,
      serial: 8,
      cohorts: FLEET.cohorts.map((entry) => ({ ...entry, serial: 8, content: contentOf(['pol_a', 3, '/x']) })),
    };
    const newer = await stateFor(world, next, 0);
    expect(await outcome(newer)).toBe('accepted');
    const { manifest, bundle } = honest.frame;
    expect(await outcome({ ...newer, frame: { ...newer.frame, manifest, bundle } })).toBe('manifest.digest');
    expect(await outcome({ ...newer, frame: { ...newer.frame, bundle } })).toBe('bundle.digest');
  });

  it('from more than ten minutes ahead is refused, on receipt and at load', async () => {
    const at = (ms: number): Forgery => ({
      manifest: (manifest) => ({ ...manifest, issuedAt: new Date(honest.now.getTime() + ms).toISOString() }),
    });
    expect(await forged(at(600_000))).toBe('accepted');
    expect(await forged(at(600_001))).toBe('manifest.future');
    expect(await forged(at(600_001), { receipt: false })).toBe('manifest.future');
  });

  it('that would live longer than 400 days is refused, on receipt and at load', async () => {
    const until = (ms: number): Forgery => ({ manifest: (manifest) => ({ ...manifest, expiresAt: after(ms).toISOString() }) });
    expect(await forged(until(400 * DAY))).toBe('accepted');
    expect(await forged(until(400 * DAY + 1))).toBe('manifest.lifetime');
    expect(await forged(until(400 * DAY + 1), { receipt: false })).toBe('manifest.lifetime');
  });

  it('without a bundle is refused: whoever has the bytes puts them in first', async () => {
    expect(await frame({ bundle: null })).toBe('bundle.missing');
  });

  it('covers exactly the bytes', async () => {
    const { bundle } = honest.frame;
    for (const other of [`${bundle} `, ` ${bundle}`, `\uFEFF${bundle}`, bundle?.normalize('NFD'), bundle?.replace('strict', 'Strict'), ''])
      expect(await frame({ bundle: other ?? '' })).toBe('bundle.digest');
  });

  it('covers the number of bytes too', async () => {
    expect(await forged({ manifest: (manifest) => ({ ...manifest, size: manifest.size + 1 }) })).toBe('bundle.digest');
    // The number of characters is not it: the bundle has one that takes two bytes.
    expect(await forged({ manifest: (manifest) => ({ ...manifest, size: honest.frame.bundle?.length ?? 0 }) })).toBe('bundle.digest');
  });

  it('does not cover text whose bytes are those of another text', async () => {
    // A lone surrogate is written as U+FFFD, so both have one hash: the parser refuses it.
    const named = (name: string): BundleContent => ({
      ...contentOf(),
      policies: contentOf(['pol_a', 1, '/x']).policies.map((p) => ({ ...p, name })),
    });
    const content = (): BundleContent => named('\uFFFD');
    const fleet: Fleet = { ...FLEET, cohorts: [{ id: 'coh_strict', serial: 5, content: named('\uFFFD') }] };
    const input = await stateFor(world, { ...fleet, devices: [{ id: 'dev_0', cohort: 0 }] }, 0, { content });
    expect(await outcome(input)).toBe('accepted');
    const bundle = input.frame.bundle?.replace('\uFFFD', '\uD800') ?? '';
    expect(sha256Hex(bundle)).toBe(sha256Hex(input.frame.bundle ?? ''));
    expect(await outcome({ ...input, frame: { ...input.frame, bundle } })).toBe('json.refused');
  });
});

describe('step 6: the content, however well it is signed', () => {
  const policy = (change: (policy: BundleContent['policies'][number]) => object): Forgery => ({
    content: (content) => ({ ...content, policies: content.policies.map(change) }),
  });

  it('larger than a bundle may be is refused', async () => {
    expect(await forged({ content: () => ({ padding: 'x'.repeat(2_000_001) }) })).toBe('json.too-large');
  });

  it.each<readonly [why: string, forgery: Forgery]>([
    ['an extra member', { content: (content) => ({ ...content, extra: 1 }) }],
    ['a missing member', { content: (content) => ({ ...content, exceptions: undefined }) }],
    ['another format', { content: (content) => ({ ...content, format: 'cordon-bundle/2' }) }],
    ['another language version', { content: (content) => ({ ...content, language: 'cordon/v2' }) }],
    ['exceptions, which this device does not know', { content: (content) => ({ ...content, exceptions: [{}] }) }],
    ['an extra member of a policy', policy((p) => ({ ...p, priority: 1 }))],
    ['an extra member of a reason', policy((p) => ({ ...p, because: p.because.map((b) => ({ ...b, note: '' })) }))],
    ['an unknown key of a document', policy((p) => ({ ...p, document: { ...p.document, spec: { ...p.document.spec, permit: {} } } }))],
    ['a document of another language version', policy((p) => ({ ...p, document: { ...p.document, apiVersion: 'cordon/v2' } }))],
    ['revision 0', policy((p) => ({ ...p, revision: 0 }))],
    ['no policies but a list', { content: () => [] as object }],
  ])('with %s is refused', async (_why, forgery) => {
    expect(await forged(forgery)).toBe('bundle.schema');
  });

  it.each<readonly [why: string, forgery: Forgery]>([
    ['another policy', policy((p) => ({ ...p, policy: `${p.policy}x` }))],
    ['another revision', policy((p) => ({ ...p, revision: p.revision + 1 }))],
    ['another document', policy((p) => ({ ...p, document: policyDocument('other', { allow: { filesystem: { read: ['/srv'] } } }) }))],
    ['one policy less', { content: (content) => ({ ...content, policies: content.policies.slice(1) }) }],
    ['no policy', { content: (content) => ({ ...content, policies: [] }) }],
    [
      'one policy more',
      { content: (content) => ({ ...content, policies: [...content.policies, ...contentOf(['pol_z', 1, '/']).policies] }) },
    ],
    ['the policies in another order', { content: (content) => ({ ...content, policies: content.policies.toReversed() }) }],
    ['less listed', { manifest: (manifest) => ({ ...manifest, revisions: manifest.revisions.slice(1) }) }],
    ['another digest listed', { manifest: (m) => ({ ...m, revisions: m.revisions.map((r) => ({ ...r, digest: sha256Hex('x') })) }) }],
  ])('with %s than its manifest lists is refused', async (_why, forgery) => {
    expect(await forged(forgery)).toBe('bundle.revisions');
  });
});

describe('step 7: the rules', () => {
  it('that mean nothing here are refused before they are in force', async () => {
    const [first] = contentOf(['pol_a', 1, '/x']).policies;
    const documents = [
      policyDocument('a', { deny: { network: { hosts: [{ host: 'not a host' }] } } }),
      policyDocument('a', { deny: { filesystem: { access: ['${nowhere}/x'] } } }),
      policyDocument('a', { limit: { filesystem: { write: ['../x'] } } }),
    ];
    for (const document of documents) {
      const content = { ...contentOf(), policies: first === undefined ? [] : [{ ...first, document }] };
      const input = await stateFor(
        world,
        { ...FLEET, cohorts: [{ id: 'coh_strict', serial: 5, content }], devices: [{ id: 'dev_0', cohort: 0 }] },
        0,
      );
      expect(await outcome(input)).toMatch(/^(?:host|path)\.[a-z-]+$/);
    }
  });
});

describe('step 8: how fresh it is', () => {
  const at = async (now: Date, forgery: Forgery = {}) =>
    verifyState({ ...(await stateFor(world, FLEET, 0, forgery)), now, receipt: false });

  it('is current until the first of its checkpoints is over, then stale for a day, then expired', async () => {
    const { staleAt, expiresAt } = await at(honest.now);
    expect([staleAt, expiresAt]).toEqual([after(CHECKPOINT_LIFETIME_MS), after(CHECKPOINT_LIFETIME_MS + EXPIRED_AFTER_MS)]);
    const states = [
      staleAt.getTime() - 1,
      staleAt.getTime(),
      expiresAt.getTime() - 1,
      expiresAt.getTime(),
      expiresAt.getTime() + 1000 * DAY,
    ];
    expect(await Promise.all(states.map(async (ms) => (await at(new Date(ms))).freshness))).toEqual([
      'current',
      'stale',
      'stale',
      'expired',
      'expired',
    ]);
  });

  it('is as old as the older of its two checkpoints', async () => {
    const until = (payload: object): object => ({ ...payload, expiresAt: after(120_000).toISOString() });
    for (const forgery of [{ checkpoint: until }, { memberCheckpoint: until }])
      expect((await at(honest.now, forgery)).staleAt).toEqual(after(120_000));
  });

  it('expires with its manifest, if that is earlier', async () => {
    const forgery: Forgery = { manifest: (manifest) => ({ ...manifest, expiresAt: after(90_000).toISOString() }) };
    expect((await at(honest.now, forgery)).expiresAt).toEqual(after(90_000));
    expect((await at(after(90_000), forgery)).freshness).toBe('expired');
  });

  it('is refused on receipt when its manifest is over', async () => {
    const until = (ms: number): Forgery => ({ manifest: (manifest) => ({ ...manifest, expiresAt: after(ms).toISOString() }) });
    expect(await forged(until(60_001))).toBe('accepted');
    expect(await forged(until(60_000))).toBe('manifest.expired');
    expect(await forged(until(-DAY))).toBe('manifest.expired');
  });

  it('never becomes fresh by being loaded', async () => {
    const { freshness } = await at(after(365 * DAY));
    expect(freshness).toBe('expired');
    expect(await outcome({ ...honest, now: after(365 * DAY) })).toBe('root.expired');
  });
});
