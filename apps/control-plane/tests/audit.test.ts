import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appendAudit } from '../src/audit/audit.ts';
import { firstBroken, GENESIS, type ChainedEntry } from '@cordon/policy/trust/audit-chain.ts';
import { POLICY, startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
beforeAll(async () => {
  test = await startPlane();
});
afterAll(() => test.close());

/** As anyone with the permission reads it, page by page, oldest first. */
const readAll = async (): Promise<ChainedEntry[]> => {
  const entries: ChainedEntry[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { body }: { body: { items: (Omit<ChainedEntry, 'at'> & { at: string })[]; next: string | null } } = await test.admin(
      'GET',
      `/audit?limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    entries.push(...body.items.map((item) => ({ ...item, at: new Date(item.at) })));
    cursor = body.next;
  }
  return entries.reverse();
};

describe('the audit log', () => {
  it('has an entry for every change, in one chain that anyone can verify', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        test.admin('POST', '/groups', { body: { name: `group ${i}`, description: 'ünïcode "quotes" \u2028' } }),
      ),
    );
    await test.admin('POST', '/policies', { body: { yaml: POLICY } });
    const entries = await readAll();
    expect(entries.filter(({ action }) => action === 'group.create')).toHaveLength(20);
    expect(entries[0]?.prevHash).toBe(GENESIS);
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => i + 1));
    expect(firstBroken(entries)).toBeUndefined();
    const changed = entries.map((entry, i) => (i === 3 ? { ...entry, actor: 'token:somebody-else' } : entry));
    expect(firstBroken(changed)?.seq).toBe(4);
    expect(firstBroken(entries.filter((_, i) => i !== 5))?.seq).toBe(7);
  });

  it('is exported whole, oldest first, one entry a line, however many there are', async () => {
    const { prisma } = test.plane.context;
    const already = await prisma.auditEntry.count();
    await prisma.$transaction(
      async (tx) => {
        for (let i = already; i < 510; i += 1)
          await appendAudit(tx, {
            actor: 'system',
            action: 'test.filled',
            subject: `x_${i}`,
            detail: { i },
            at: new Date(1_800_000_000_000 + i),
          });
      },
      { timeout: 60_000 },
    );
    const reply = await test.plane.listeners.admin.app.inject({
      url: '/api/v1/audit/export',
      headers: { authorization: `Bearer ${await test.tokenOf('auditor')}` },
    });
    expect([reply.statusCode, reply.headers['content-type']]).toEqual([200, 'application/x-ndjson']);
    const lines = reply.body.split('\n');
    expect(lines.pop()).toBe('');
    const entries = lines.map((line) => JSON.parse(line) as Omit<ChainedEntry, 'at'> & { at: string });
    expect(entries.length).toBe(511);
    expect(firstBroken(entries.map((entry) => ({ ...entry, at: new Date(entry.at) })))).toBeUndefined();
    expect(entries).toEqual((await readAll()).map((entry) => ({ ...entry, at: entry.at.toISOString() })));
  });

  it('has nothing of what did not happen', async () => {
    const before = (await readAll()).length;
    expect((await test.admin('POST', '/groups', { body: { name: 'group 0' } })).status).toBe(409);
    expect((await test.admin('POST', '/policies', { body: { yaml: 'kind: Nonsense' } })).status).toBe(400);
    const { prisma } = test.plane.context;
    const failed = prisma.$transaction(async (tx) => {
      await appendAudit(tx, { actor: 'system', action: 'test', subject: 'x', detail: {}, at: new Date() });
      throw new Error('after all not');
    });
    await expect(failed).rejects.toThrow('after all not');
    expect(await readAll()).toHaveLength(before);
  });
});
