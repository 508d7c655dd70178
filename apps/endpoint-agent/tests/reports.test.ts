/** What a daemon reports stands in one chain for each of its boots, and the ends of the chains stand under its signature. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { batchHash, FIRST_BATCH } from '@cordon/policy/protocol/batch.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { openHead, type HeadStatement } from '@cordon/policy/trust/device-head.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { loadDeviceKey } from '../src/identity/device-key.ts';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { createWorld, IS_ROOT, type World } from './_world.ts';

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;
beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world);
  plane.publish('allow: { filesystem: { write: ["${workspace}"] } }');
  expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('selftest').length).toBe(1), { timeout: 30_000, interval: 20 });
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world?.remove();
});

const batches = () => plane.received('telemetry');
const boots = (): string[] => [...new Set(batches().map(({ boot }) => boot))];
/** Of a boot, as `kind state` or `kind passed`. */
const kinds = (boot: string | undefined): string[] =>
  batches()
    .filter((frame) => frame.boot === boot)
    .flatMap(({ events }) => events)
    .flatMap((event) =>
      event.kind === 'policy' ? [`policy ${event.state} ${event.serial}`] : event.kind === 'selftest' ? [`selftest ${event.passed}`] : [],
    );
/** Ends of a boot's chain that the device signed, each verified. */
const signed = async (boot: string | undefined): Promise<HeadStatement[]> => {
  const { organisation, enrolled } = plane;
  const [device = ''] = enrolled.keys();
  return Promise.all(
    plane
      .received('head')
      .filter((frame) => frame.boot === boot)
      .map(({ boot: name, seq, hash, head }) =>
        openHead(head, { org: organisation.org, device, boot: name, seq, hash }, [loadDeviceKey(installation.stateDir).jwk]),
      ),
  );
};

it('acknowledgements and self-tests are events of the chain, and their frames say the same', async () => {
  const [boot] = boots();
  await expect.poll(() => kinds(boot)).toEqual(['policy activated 1', 'selftest true']);
  plane.renew();
  await plane.push();
  await expect.poll(() => kinds(boot)).toEqual(['policy activated 1', 'selftest true', 'policy confirmed 2']);
  plane.renew();
  await plane.push({ checkpoint: (payload) => ({ ...payload, org: 'org_other' }) });
  await expect.poll(() => kinds(boot).at(-1)).toBe('policy rejected 1');
  const acknowledged = plane.received('ack').map(({ phase, epoch, serial, digest }) => ({ phase, epoch, serial, digest }));
  const events = batches().flatMap((frame) => [...frame.events]);
  const policies = events.flatMap((event) =>
    event.kind === 'policy'
      ? [{ phase: event.state === 'rejected' ? 'failed' : 'enforced', epoch: event.epoch, serial: event.serial, digest: event.digest }]
      : [],
  );
  for (const policy of policies) expect(acknowledged).toContainEqual(policy);
  for (const ack of acknowledged) expect(policies).toContainEqual(ack);
  const result = plane.received('selftest')[0]?.result;
  const tested = events.find(({ kind }) => kind === 'selftest');
  expect(tested).toMatchObject({ digest: result?.digest, passed: true, failed: [], result: sha256Hex(canonicalJson(result)) });
});

it('each boot is one chain without a gap', async () => {
  expect((await installation.sh('true')).status).toBe(0);
  await expect.poll(() => batches().some(({ events }) => events.some(({ kind }) => kind === 'run.ended'))).toBe(true);
  for (const boot of boots()) {
    let place = { seq: 0, hash: FIRST_BATCH };
    for (const batch of batches().filter((frame) => frame.boot === boot)) {
      expect(batch).toMatchObject({ seqFrom: place.seq + 1, prev: place.hash, hash: batchHash(batch) });
      place = { seq: batch.seqTo, hash: batch.hash };
    }
  }
});

it('a daemon that stops signs the end of its chain, and what is in force then', async () => {
  const [boot] = boots();
  const last = batches().at(-1);
  await daemon.stop();
  const heads = await signed(boot);
  expect(heads.at(-1)).toMatchObject({
    seq: last?.seqTo,
    hash: last?.hash,
    enforced: { serial: 2, digest: plane.received('ack')[0]?.digest },
    assurance: IS_ROOT ? 'system' : 'user',
  });
});

it('the next one signs again what nobody answered, and confirms what it enforces, in a chain of its own', async () => {
  const [before] = boots();
  const already = plane.received('head').length;
  const end = plane.received('head').at(-1);
  daemon = await installation.daemon();
  await expect.poll(() => boots().length, { timeout: 20_000 }).toBe(2);
  const boot = boots()[1];
  await expect
    .poll(
      () =>
        plane
          .received('head')
          .slice(already)
          .map((head) => head.boot),
      { timeout: 20_000 },
    )
    .toContain(before);
  const again = plane
    .received('head')
    .slice(already)
    .find((head) => head.boot === before);
  expect([again?.seq ?? 0, (await signed(before)).at(-1)?.seq]).toEqual([again?.seq, again?.seq]);
  expect(again?.seq).toBeGreaterThanOrEqual(end?.seq ?? Number.POSITIVE_INFINITY);
  await expect.poll(() => kinds(boot)).toContain('policy confirmed 2');
  // Answered, it is not signed any more, not even after the next start.
  plane.send({ type: 'head.ack', boot: before ?? '', signed: again?.seq ?? 0 });
  await vi.waitFor(async () => expect((await installation.status()).connected).toBe(true));
  await daemon.stop();
  const count = plane.received('head').filter((head) => head.boot === before).length;
  daemon = await installation.daemon();
  await expect.poll(() => plane.received('head').filter((head) => head.boot === boot).length, { timeout: 20_000 }).toBeGreaterThan(1);
  expect(plane.received('head').filter((head) => head.boot === before)).toHaveLength(count);
});
