import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HistoryFrame } from '@cordon/policy/protocol/history.ts';
import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import { compareLinks, nextOf, openLink, readKeptLink, walkOf, type Link } from '@cordon/policy/trust/history.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import { cosign } from '@cordon/policy/trust/witness.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import { dropSuperseded } from '../src/jobs/retention.ts';
import { connect, enrol, hello, type Enrolled, type TestChannel } from './_channel.ts';
import { startPlane, type TestPlane } from './_util.ts';

interface Page {
  readonly items: readonly { readonly epoch: number; readonly number: number; readonly digest: string; readonly jws: string }[];
  readonly roots: number;
  readonly demanded: number;
  readonly more: boolean;
}

let test: TestPlane;
let device: Enrolled;
beforeAll(async () => {
  test = await startPlane();
  device = await enrol(test);
  for (let i = 0; i < 40; i += 1) await test.admin('POST', '/publish', { body: { title: `publish ${i}` } });
});
afterAll(() => test.close());

const onwards = async (query = ''): Promise<Page> => (await test.admin<Page & Record<string, never>>('GET', `/checkpoints${query}`)).body;
const links = async (): Promise<Link[]> => (await onwards()).items.flatMap(({ jws }) => readKeptLink(jws) ?? []);
const channel = async (): Promise<TestChannel> => {
  const open = connect(test, device.id);
  await open.next('welcome');
  open.send(hello());
  return open;
};
const ask = async (open: TestChannel, from: Link, to: number): Promise<HistoryFrame> => {
  const { epoch, number } = from.payload;
  open.send({ type: 'history', epoch, from: number, digest: from.digest, to });
  return open.next('history');
};

describe('the history of checkpoints', () => {
  it('is one chain, each signed, placed and named by the next, whatever made it', async () => {
    const all = await links();
    const root = await verifyRootChain(test.plane.context.organisation.roots, test.plane.context.organisation.fingerprint, new Date());
    expect(all.length).toBeGreaterThan(40);
    expect(all.map(({ payload }) => payload.number)).toEqual(all.map((_, i) => i));
    expect([all[0]?.payload.previous, all[0]?.payload.skip]).toEqual([null, null]);
    for (const [i, link] of all.entries()) {
      expect((await openLink(link.jws, root.keys('checkpoint'))).digest).toBe(link.digest);
      const before = all[i - 1];
      if (before === undefined) continue;
      expect(compareLinks(before, link)).toEqual({ relation: 'next', findings: [] });
      expect(link.payload.skip).toBe(all[nextOf(i, 0)]?.digest);
    }
  });

  it('is walked by a device in as many answers as it takes, and ends where nothing is kept', async () => {
    const all = await links();
    const newest = all.at(-1);
    if (newest === undefined) throw new Error('no checkpoint');
    const open = await channel();
    const answer = await ask(open, newest, 3);
    expect(answer).toMatchObject({ digest: newest.digest, to: 3 });
    expect(answer.headers.map((jws) => readKeptLink(jws)?.payload.number)).toEqual(walkOf(newest.payload.number, 3, 64));
    expect((await ask(open, newest, newest.payload.number)).headers).toEqual([]);
    open.send({ type: 'history', epoch: 9, from: 5, digest: newest.digest, to: 3 });
    expect((await open.next('history')).headers).toEqual([]);
    open.close();
  });

  it('is read onwards from a place, page by page, and waits for what comes next', async () => {
    const all = (await onwards()).items;
    const last = all.at(-1);
    expect(await onwards(`?epoch=0&number=${all.length - 2}`)).toMatchObject({ items: all.slice(-2), roots: 1, demanded: 0, more: false });
    expect((await onwards('?epoch=7')).items).toEqual([]);
    const waiting = onwards(`?epoch=0&number=${last?.number ?? 0}&wait=25`);
    await test.admin('POST', '/publish', { body: { title: 'awaited' } });
    expect((await waiting).items.map(({ number }) => number)).toEqual([last?.number, (last?.number ?? 0) + 1]);
    expect((await test.admin('GET', '/checkpoints?wait=26')).status).toBe(400);
    const roots = await test.admin<{ org: string; roots: string[] } & Record<string, never>>('GET', '/checkpoints/roots');
    expect(roots.body).toMatchObject({ org: test.plane.context.organisation.orgId, roots: test.plane.context.organisation.roots });
  });

  it('takes no cosignature that the root does not ask for, nor of what it does not know', async () => {
    const newest = (await links()).at(-1);
    if (newest === undefined) throw new Error('no checkpoint');
    const witness = keyPairFromSeed(Buffer.alloc(32, 7));
    const body = { cosignature: await cosign(newest.payload, newest.digest, witness) };
    const post = (digest: string) =>
      test.admin<{ code: string } & Record<string, never>>('POST', `/checkpoints/${digest}/cosignatures`, { body });
    expect((await post(newest.digest)).body).toMatchObject({ status: 409, code: 'witness.not-demanded' });
    expect((await post('a'.repeat(64))).body).toMatchObject({ status: 404, code: 'checkpoint.not-found' });
    expect((await post('x')).status).toBe(400);
  });
});

describe('what a device found in it', () => {
  const findings = async (): Promise<{ code: string; proved: boolean; device: string }[]> =>
    (
      await test.admin<{ items: { code: string; proved: boolean; device: string }[] } & Record<string, never>>(
        'GET',
        `/history-findings?device=${device.id}`,
      )
    ).body.items;

  it('is kept once, with whether the evidence proves it, and stands in the audit log', async () => {
    const all = await links();
    const [one, two] = [all[5], all[9]];
    const open = await channel();
    const say = (code: string): void => open.send({ type: 'finding', code, earlier: one?.jws, later: two?.jws });
    say('history.withheld');
    say('history.withheld');
    say('history.fork');
    await expect.poll(findings, { timeout: 20_000 }).toHaveLength(2);
    // Two checkpoints of one history prove no fork, whatever the device says.
    expect((await findings()).map(({ code, proved }) => [code, proved])).toEqual([
      ['history.fork', false],
      ['history.withheld', false],
    ]);
    const { items } = (await test.admin<{ items: { detail: object }[] } & Record<string, never>>('GET', '/audit?action=history.finding'))
      .body;
    expect(items.map(({ detail }) => detail)).toMatchObject([
      { code: 'history.fork', earlier: { number: 5 }, later: { number: 9 } },
      { code: 'history.withheld' },
    ]);
    open.close();
  });

  it('is not believed with evidence that this organisation did not sign, and a device cannot fill the log with it', async () => {
    const all = await links();
    const thief = keyPairFromSeed(Buffer.alloc(32, 9));
    const open = await channel();
    const forged = await signCompact({ ...all[5]?.payload, serial: 999 }, 'cordon-checkpoint+jws', thief);
    open.send({ type: 'finding', code: 'history.fork', earlier: all[5]?.jws, later: forged });
    expect(await open.next('problem')).toMatchObject({ code: 'finding.evidence' });
    open.send({ type: 'finding', code: 'history.nonsense', earlier: 'a', later: 'b' });
    expect((await open.closed).code).toBe(4400);
    const again = await channel();
    for (let i = 0; i < 90; i += 1)
      again.send({ type: 'finding', code: 'history.gap', earlier: all[i % 9]?.jws, later: all[10 + Math.floor(i / 9)]?.jws });
    await expect.poll(() => test.plane.context.prisma.historyFinding.count(), { timeout: 20_000 }).toBe(64);
    const page = (await test.admin<{ items: unknown[]; next: string } & Record<string, never>>('GET', '/history-findings?limit=50')).body;
    const rest = (
      await test.admin<{ items: unknown[]; next: string | null } & Record<string, never>>(
        'GET',
        `/history-findings?limit=50&cursor=${page.next}`,
      )
    ).body;
    expect([page.items.length, rest.items.length, rest.next]).toEqual([50, 14, null]);
    again.close();
  });
});

describe('after ninety days', () => {
  it('older headers are gone, a walk to them ends early, and no pointer leads there', async () => {
    const before = await links();
    await test.admin('POST', '/publish', { body: { title: 'much later' } });
    await test.plane.context.pool.query(
      "UPDATE checkpoint SET created_at = created_at - interval '91 days' WHERE id < (SELECT max(id) FROM checkpoint)",
    );
    await dropSuperseded(test.plane.context);
    await test.admin('POST', '/publish', { body: { title: 'later still' } });
    const after = await links();
    expect(after.length).toBe(2);
    const newest = after.at(-1);
    if (newest === undefined) throw new Error('no checkpoint');
    expect([newest.payload.number, newest.payload.previous]).toEqual([before.length + 1, after[0]?.digest]);
    expect([null, newest.payload.previous]).toContain(newest.payload.skip);
    const open = await channel();
    expect((await ask(open, newest, 3)).headers.length).toBeLessThan(2);
    open.close();
  });
});
