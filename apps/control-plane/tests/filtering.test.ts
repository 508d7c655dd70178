/** The database answers filters as the pure function does, and lists of devices take them. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '@cordon/policy/_laws.ts';
import { arbitraryFacts, arbitraryFilter, FIELDS, NOW } from '@cordon/policy/filter/_arbitrary-filter.ts';
import { evaluate } from '@cordon/policy/filter/evaluate.ts';
import { Prisma } from '../src/db/generated/client.ts';
import type { Problem } from '../src/errors.ts';
import { filterSql, type Columns } from '../src/filtering/sql.ts';
import { enrolDevice, newKey, someFacts, startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
beforeAll(async () => {
  test = await startPlane();
});
afterAll(() => test.close());

const COLUMNS: Columns<typeof FIELDS> = {
  name: Prisma.sql`t.name`,
  os: Prisma.sql`t.os`,
  agentVersion: Prisma.sql`t.version`,
  lastSeen: Prisma.sql`t.seen`,
  count: Prisma.sql`t.number`,
  pending: Prisma.sql`t.pending`,
  tags: Prisma.sql`t.tags`,
};

describe('a filter', () => {
  it(
    'is true, false or unknown in the database exactly where the pure function says so',
    async () => {
      const { prisma } = test.plane.context;
      await fc.assert(
        fc.asyncProperty(arbitraryFilter, fc.array(arbitraryFacts, { minLength: 1, maxLength: 8 }), async (filter, things) => {
          const rows = things.map((facts, i) => {
            const { name, os, agentVersion, lastSeen, count, pending, tags } = facts;
            return {
              i,
              name,
              os,
              version: agentVersion,
              seen: lastSeen === undefined ? undefined : new Date(Number(lastSeen)),
              number: count,
              pending,
              tags,
            };
          });
          const asked = filterSql(filter, FIELDS, COLUMNS, new Date(NOW));
          const answers = await prisma.$queryRaw<{ verdict: boolean | null }[]>`
            SELECT ${asked} AS verdict FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
              AS t(i int, name text, os text, version text, seen timestamptz, number double precision, pending boolean, tags text[]) ORDER BY i`;
          expect(answers.map(({ verdict }) => verdict ?? undefined)).toEqual(things.map((facts) => evaluate(filter, facts, FIELDS, NOW)));
        }),
        { numRuns: LAW_RUNS },
      );
    },
    LAW_TIMEOUT_MS,
  );
});

describe('the list of devices', () => {
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    const { token } = (await test.admin<{ token: string }>('POST', '/enrollment-tokens', { body: { name: 'many', maxUses: 10 } })).body;
    const enrol = async (name: string, agentVersion: string, os: 'linux' | 'macos'): Promise<void> => {
      const { status, body } = await enrolDevice(test, token, newKey(), { facts: { ...someFacts(name), agentVersion, os } });
      expect(status).toBe(200);
      ids[name] = body.device;
    };
    await enrol('Build-1', '0.9.0', 'linux');
    await enrol('build-2', '0.10.0', 'linux');
    await enrol('desk', '0.10.0', 'macos');
    const { id } = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'Robots' } })).body;
    expect((await test.admin('PUT', `/groups/${id}/members/${ids['build-2']}`)).status).toBe(204);
  });

  const named = async (filter: string, more = ''): Promise<string[]> => {
    const { status, body } = await test.admin<{ items: { name: string }[] }>('GET', `/devices?filter=${encodeURIComponent(filter)}${more}`);
    expect(status, filter).toBe(200);
    return body.items.map(({ name }) => name);
  };

  it.each([
    ['os = linux', ['build-2', 'Build-1']],
    ['name startsWith build and agentVersion >= 0.10', ['build-2']],
    ['group contains Robots', ['build-2']],
    ['not group contains Robots', ['desk', 'Build-1']],
    ['state = active and compliance != Compliant', ['desk', 'build-2', 'Build-1']],
    ['lastSeen is unknown', ['desk', 'build-2', 'Build-1']],
    ['lastSeen < now', []],
    ['enrolledAt > now-1h and assurance = system', ['desk', 'build-2', 'Build-1']],
    ['awaitingApproval = true', []],
    ['name = "\' OR true --"', []],
  ])('%s', async (filter, names) => {
    expect(await named(filter)).toEqual(names);
  });

  it('goes on after its cursor under the same filter', async () => {
    const url = `/devices?limit=1&filter=${encodeURIComponent('os = linux')}`;
    const first = (await test.admin<{ items: { name: string }[]; next: string }>('GET', url)).body;
    const second = (await test.admin<{ items: { name: string }[]; next: string | null }>('GET', `${url}&cursor=${first.next}`)).body;
    expect([first, second].map(({ items }) => items.map(({ name }) => name))).toEqual([['build-2'], ['Build-1']]);
    expect(second.next).toBeNull();
  });

  it('refuses a filter at its column', async () => {
    const { status, body } = await test.admin<Problem>('GET', `/devices?filter=${encodeURIComponent('os = linux and agentVersoin > 1')}`);
    expect([status, body.code, body.detail]).toEqual([
      400,
      'filter.field',
      'column 16: there is no field "agentVersoin"; did you mean agentVersion?',
    ]);
  });
});
