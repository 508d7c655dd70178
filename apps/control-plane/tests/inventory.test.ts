/** What devices say of their agents, on a real control plane: stored whole, replaced whole, bounded, harmless, and shown to those who may look. */
import fc from 'fast-check';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { MAX_SIGHTINGS, type Inventory, type InventoryFrame } from '@cordon/policy/protocol/inventory.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { believable } from '../src/inventory/inventory.ts';
import { dropSuperseded } from '../src/jobs/retention.ts';
import { connect, enrol, hello, type TestChannel } from './_channel.ts';
import { startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
beforeAll(async () => {
  test = await startPlane();
});
afterAll(() => test.close());

const AT = new Date().toISOString();
const agent = (change: Partial<Inventory['agents'][number]> = {}): Inventory['agents'][number] => ({
  agent: 'claude-code',
  osUser: 'ada',
  source: 'package',
  place: '/home/ada/.npm-global/lib/node_modules/@anthropic-ai/claude-code',
  version: '2.1.0',
  running: 'no',
  ...change,
});
const server = (change: Partial<Inventory['servers'][number]> = {}): Inventory['servers'][number] => ({
  agent: 'claude-code',
  osUser: 'ada',
  name: 'github',
  scope: 'user',
  transport: 'program',
  program: 'npx',
  file: '${home}/.claude.json',
  ...change,
});
const sighting = (change: Partial<Inventory['uncontained'][number]> = {}): Inventory['uncontained'][number] => ({
  agent: 'claude-code',
  osUser: 'ada',
  evidence: 'package',
  program: '/home/ada/cli.js',
  action: 'reported',
  firstAt: AT,
  lastAt: AT,
  times: 1,
  running: true,
  ...change,
});
const frameOf = (change: Partial<Inventory>): InventoryFrame => {
  const inventory: Inventory = { agents: [], servers: [], uncontained: [], leftOut: 0, ...change };
  return { type: 'inventory', digest: sha256Hex(canonicalJson(inventory)), at: AT, inventory };
};

interface Whole {
  readonly agents: readonly Record<string, unknown>[];
  readonly servers: readonly Record<string, unknown>[];
  readonly uncontained: readonly Record<string, unknown>[];
  readonly leftOut: number;
}

const join = async (): Promise<{ id: string; channel: TestChannel }> => {
  const { id } = await enrol(test);
  const channel = connect(test, id);
  await channel.next('welcome');
  channel.send(hello());
  return { id, channel };
};
const inventoryOf = async (id: string): Promise<Whole> => (await test.admin<Whole>('GET', `/devices/${id}/inventory`)).body;
const items = async (url: string): Promise<Record<string, unknown>[]> =>
  (await test.admin<{ items: Record<string, unknown>[] }>('GET', url)).body.items;

describe('an inventory', () => {
  it('is nothing before the device says one, then all that it says, then all that it says next', async () => {
    const { id, channel } = await join();
    expect((await test.admin('GET', `/devices/${id}/inventory`)).status).toBe(404);
    channel.send(frameOf({ agents: [agent(), agent({ agent: 'codex', version: '' })], servers: [server()], leftOut: 3 }));
    await expect.poll(async () => (await inventoryOf(id)).agents?.length).toBe(2);
    expect(await inventoryOf(id)).toEqual({
      device: id,
      receivedAt: expect.any(String) as string,
      leftOut: 3,
      agents: [
        { device: id, ...agent() },
        { device: id, ...agent({ agent: 'codex', version: '' }) },
      ],
      servers: [{ device: id, ...server() }],
      uncontained: [],
    });
    channel.send(frameOf({ agents: [agent({ running: 'contained' })] }));
    await expect.poll(async () => (await inventoryOf(id)).servers.length).toBe(0);
    expect((await inventoryOf(id)).agents).toEqual([{ device: id, ...agent({ running: 'contained' }) }]);
  });

  it('is found across the fleet by agent, server, program and account, a page at a time', async () => {
    const devices = await Promise.all([join(), join(), join()]);
    for (const { channel } of devices)
      channel.send(
        frameOf({
          agents: [agent({ agent: 'goose', osUser: 'bob' }), agent({ agent: 'amp', running: 'uncontained' })],
          servers: [server({ name: 'page', program: 'uvx' })],
        }),
      );
    await expect.poll(async () => (await items('/inventory/agents?agent=goose')).length).toBe(3);
    expect(await items('/inventory/agents?agent=goose&user=ada')).toEqual([]);
    expect((await items('/inventory/agents?agent=amp&running=uncontained')).length).toBe(3);
    expect((await items('/inventory/mcp-servers?name=page&program=uvx&transport=program&scope=user')).length).toBe(3);
    expect(await items('/inventory/agents/counts')).toContainEqual({ agent: 'amp', devices: 3, uncontained: 3 });
    for (const list of ['/inventory/agents?agent=goose', '/inventory/mcp-servers?name=page']) {
      const seen: unknown[] = [];
      let cursor = '';
      do {
        const { body } = await test.admin<{ items: { device: string }[]; next: string | null }>('GET', `${list}&limit=1${cursor}`);
        seen.push(...body.items.map(({ device }) => device));
        cursor = body.next === null ? '' : `&cursor=${body.next}`;
      } while (cursor !== '');
      expect(seen).toEqual(devices.map(({ id }) => id).sort());
    }
  });

  it('keeps what ran outside containment when the device no longer says so, and no more of it than it should', async () => {
    const { id, channel } = await join();
    channel.send(frameOf({ uncontained: [sighting()] }));
    await expect.poll(async () => (await items(`/inventory/uncontained?device=${id}&running=yes`)).length).toBe(1);
    channel.send(frameOf({ uncontained: [] }));
    await expect.poll(async () => (await items(`/inventory/uncontained?device=${id}&running=no`)).length).toBe(1);
    const later = (i: number): string => new Date(Date.parse(AT) + i * 1000).toISOString();
    for (let i = 0; i < 5; i += 1) {
      const programs = Array.from({ length: MAX_SIGHTINGS }, (_, n) => `/tmp/${i}/${n}`);
      channel.send(frameOf({ uncontained: programs.map((program) => sighting({ program, running: false, lastAt: later(i) })) }));
      const stored = async () => new Set((await items(`/inventory/uncontained?device=${id}&limit=500`)).map(({ program }) => program));
      await expect.poll(async () => (await stored()).has(`/tmp/${i}/0`)).toBe(true);
    }
    expect((await items(`/inventory/uncontained?device=${id}&limit=500`)).length).toBe(256);
    const seen = new Set<unknown>();
    let cursor = '';
    do {
      const { body } = await test.admin<{ items: { program: string }[]; next: string | null }>(
        'GET',
        `/inventory/uncontained?device=${id}&limit=100${cursor}`,
      );
      for (const { program } of body.items) seen.add(program);
      cursor = body.next === null ? '' : `&cursor=${body.next}`;
    } while (cursor !== '');
    expect([seen.size, seen.has('/tmp/4/63'), seen.has('/home/ada/cli.js')]).toEqual([256, true, false]);
  });

  it('of one device says nothing of another, and two rows of a kind are one', async () => {
    const [one, other] = await Promise.all([join(), join()]);
    one.channel.send(frameOf({ uncontained: [sighting({ times: 2 }), sighting({ times: 7 })] }));
    other.channel.send(frameOf({ agents: [agent()] }));
    await expect.poll(async () => (await inventoryOf(one.id)).uncontained?.map(({ times }) => times)).toEqual([7]);
    await expect.poll(async () => (await inventoryOf(other.id)).uncontained).toEqual([]);
  });

  it('of a device that ended is no part of the fleet, and still there to be looked at', async () => {
    const { id, channel } = await join();
    channel.send(frameOf({ agents: [agent({ agent: 'jan' })], servers: [server({ name: 'of-the-ended' })] }));
    await expect.poll(async () => (await items('/inventory/agents?agent=jan')).length).toBe(1);
    expect((await test.admin('POST', `/devices/${id}/revoke`)).status).toBe(200);
    expect(await items('/inventory/agents?agent=jan')).toEqual([]);
    expect(await items('/inventory/mcp-servers?name=of-the-ended')).toEqual([]);
    expect((await items('/inventory/agents/counts')).filter(({ agent: counted }) => counted === 'jan')).toEqual([]);
    expect((await inventoryOf(id)).agents.length).toBe(1);
  });

  it('forgets after 90 days what ran outside containment, also of devices that say nothing any more', async () => {
    const { id, channel } = await join();
    const day = 86_400_000;
    const before = (days: number): string => new Date(Date.now() - days * day).toISOString();
    channel.send(
      frameOf({
        uncontained: [
          sighting({ program: '/recent', firstAt: before(100), lastAt: before(80) }),
          sighting({ program: '/later', lastAt: before(0) }),
        ],
      }),
    );
    const kept = async (): Promise<unknown[]> => (await items(`/inventory/uncontained?device=${id}`)).map(({ program }) => program);
    await expect.poll(kept).toEqual(['/later', '/recent']);
    const { pool } = test.plane.context;
    await dropSuperseded({ pool, clock: () => new Date() });
    expect(await kept()).toEqual(['/later', '/recent']);
    await dropSuperseded({ pool, clock: () => new Date(Date.now() + 20 * day) });
    expect(await kept()).toEqual(['/later']);
  });

  it('with hostile text is stored and shown as the text that it is', async () => {
    const { id, channel } = await join();
    const texts = [
      `'; DROP TABLE device; --`,
      '\u202E\u0007\u001B[31m',
      String.raw`\u0000 {"a":1}`,
      '<script>alert(1)</script>',
      '💥'.repeat(10),
    ];
    channel.send(frameOf({ servers: texts.map((name) => server({ name, osUser: name })) }));
    await expect.poll(async () => (await inventoryOf(id)).servers?.map(({ name }) => name)).toEqual(texts);
  });

  it('that is more than its schema allows ends the session and changes nothing', async () => {
    const { id, channel } = await join();
    channel.send(frameOf({ agents: [agent()] }));
    await expect.poll(async () => (await inventoryOf(id)).agents?.length).toBe(1);
    channel.send(frameOf({ agents: Array.from({ length: 129 }, () => agent()) }));
    expect((await channel.closed).code).toBe(4400);
    expect((await inventoryOf(id)).agents.length).toBe(1);
  });

  it.each(['/inventory/agents', '/inventory/mcp-servers', '/inventory/uncontained'])(
    '%s refuses a cursor that it did not give',
    async (url) => {
      const forged = ['[1]', '["dev",-1]', '["dev","1"]', '["a","b","c","d",1]', '["2026","b","c","d"]', '["\\u0000",1]', 'x'].map((text) =>
        Buffer.from(text).toString('base64url'),
      );
      for (const cursor of forged) expect((await test.admin('GET', `${url}?cursor=${cursor}`)).status).toBe(400);
    },
  );

  it('has times that can be believed, whatever the device says', () => {
    const received = new Date('2026-11-24T12:00:00.000Z');
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (said) => {
        const kept = believable(said.toISOString(), received);
        expect(Math.abs(kept.getTime() - received.getTime())).toBeLessThanOrEqual(400 * 86_400_000);
        if (Math.abs(said.getTime() - received.getTime()) < 86_400_000) expect(kept).toEqual(said);
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
