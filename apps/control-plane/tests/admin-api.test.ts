import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enrolDevice, newKey, POLICY, startPlane, type Answer, type TestPlane } from './_util.ts';

let test: TestPlane;
beforeAll(async () => {
  test = await startPlane();
});
afterAll(() => test.close());

interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}
interface Problem {
  readonly type: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors: readonly { readonly pointer: string; readonly line: number; readonly message: string }[];
}
const refusal = ({ status, body }: Answer<Problem>): [number, string] => [status, body.code];

describe('groups', () => {
  it('hold devices, page by page without gaps or repeats', async () => {
    for (let i = 0; i < 12; i += 1) await test.admin('POST', '/groups', { body: { name: `page ${String(i).padStart(2, '0')}` } });
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { status, body }: Answer<Page<{ name: string }>> = await test.admin(
        'GET',
        `/groups?limit=5${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      expect(status).toBe(200);
      expect(body.items.length).toBeLessThanOrEqual(5);
      seen.push(...body.items.map(({ name }) => name));
      cursor = body.next;
    }
    expect(seen.filter((name) => name.startsWith('page')).sort()).toEqual(
      Array.from({ length: 12 }, (_, i) => `page ${String(i).padStart(2, '0')}`),
    );
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain('All devices');
    expect(refusal(await test.admin<Problem>('GET', '/groups?cursor=nonsense'))).toEqual([400, 'request.cursor']);
    expect(refusal(await test.admin<Problem>('GET', '/groups?limit=0'))).toEqual([400, 'request.invalid']);
    expect(refusal(await test.admin<Problem>('GET', '/groups?limt=5'))).toEqual([400, 'request.invalid']);
  });

  it('change only with the ETag of what was seen', async () => {
    const made = await test.admin<{ id: string; version: number }>('POST', '/groups', { body: { name: 'etag' } });
    const { id } = made.body;
    const etag = String(made.headers['etag']);
    const change = { body: { description: 'changed' } };
    expect(refusal(await test.admin<Problem>('PATCH', `/groups/${id}`, change))).toEqual([428, 'request.if-match-required']);
    const answers = await Promise.all(
      [1, 2, 3].map(() => test.admin<Problem>('PATCH', `/groups/${id}`, { ...change, headers: { 'if-match': etag } })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
    expect((await test.admin('GET', `/groups/${id}`)).headers['etag']).toBe('"2"');
    expect(refusal(await test.admin<Problem>('PATCH', `/groups/${id}`, { ...change, headers: { 'if-match': etag } }))).toEqual([
      412,
      'request.stale',
    ]);
  });

  it('move a device to another cohort when its members change', async () => {
    const group = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'movers', membership: 'open' } })).body.id;
    const policy = (await test.admin<{ id: string }>('POST', '/policies', { body: { yaml: POLICY.replace('coding-agents', 'movers') } }))
      .body.id;
    expect((await test.admin('POST', '/assignments', { body: { policyId: policy, groupId: group, mode: 'include' } })).status).toBe(201);
    expect((await test.admin('POST', '/publish', { body: { title: 'movers' } })).status).toBeLessThan(300);
    const { token } = (await test.admin<{ token: string }>('POST', '/enrollment-tokens', { body: { name: 'movers' } })).body;
    const { device } = (await enrolDevice(test, token, newKey())).body;
    const cohort = async (): Promise<string | null> =>
      (await test.plane.context.prisma.device.findUniqueOrThrow({ where: { id: device } })).cohortId;
    const before = await cohort();
    expect((await test.admin('PUT', `/groups/${group}/members/${device}`)).status).toBe(204);
    expect((await test.admin('PUT', `/groups/${group}/members/${device}`)).status).toBe(204);
    const inside = await cohort();
    expect(inside).not.toBe(before);
    expect((await test.admin<{ members: number }>('GET', `/groups/${group}`)).body.members).toBe(1);
    expect((await test.admin('DELETE', `/groups/${group}/members/${device}`)).status).toBe(204);
    expect(await cohort()).toBe(before);
    const { body } = await test.admin<Page<{ id: string }>>('GET', '/groups?limit=100');
    const all = body.items.find((item) => 'kind' in item && item.kind === 'all');
    expect(refusal(await test.admin<Problem>('PUT', `/groups/${all?.id ?? ''}/members/${device}`))).toEqual([409, 'group.built-in']);
  });
});

describe('policies', () => {
  it('answer with what is valid but worth a second look, and where it stands', async () => {
    interface Warned {
      readonly id: string;
      readonly warnings: readonly { readonly code: string; readonly pointer: string; readonly line: number }[];
    }
    const yaml = POLICY.replace('coding-agents', 'broad');
    const made = await test.admin<Warned>('POST', '/policies', { body: { yaml } });
    expect(made.body.warnings).toEqual([]);
    const broad = yaml.replace('api.example.com', '"*"');
    const { body } = await test.admin<Warned>('POST', `/policies/${made.body.id}/revisions`, { body: { yaml: broad } });
    expect(body.warnings).toEqual([
      {
        code: 'advice.broad-host',
        pointer: '/spec/allow/network/hosts/0/host',
        line: broad.split('\n').findIndex((line) => line.includes('"*"')) + 1,
        column: expect.any(Number) as unknown,
        message: expect.stringContaining('every public address') as unknown,
      },
    ]);
  });

  it('have immutable revisions; the same content adds none', async () => {
    const made = await test.admin<{ id: string; name: string; revision: number }>('POST', '/policies', { body: { yaml: POLICY } });
    expect([made.status, made.body.name, made.body.revision]).toEqual([201, 'coding-agents', 1]);
    const { id } = made.body;
    const revise = (yaml: string, etag?: string): Promise<Answer<{ revision: number } & Problem>> =>
      test.admin('POST', `/policies/${id}/revisions`, { body: { yaml }, ...(etag !== undefined && { headers: { 'if-match': etag } }) });
    expect((await revise(`# only a comment\n${POLICY}`)).body.revision).toBe(1);
    const wider = POLICY.replace('api.example.com', 'api.example.org');
    expect((await revise(wider)).body.revision).toBe(2);
    expect(refusal(await revise(POLICY, '"1"'))).toEqual([412, 'request.stale']);
    expect(refusal(await revise(POLICY.replace('coding-agents', 'other')))).toEqual([400, 'policy.name']);
    const first = await test.admin<{ source: string; document: { spec: object } }>('GET', `/policies/${id}/revisions/1`);
    expect(first.body.source).toBe(POLICY);
    expect(first.body.document.spec).toEqual({
      allow: { filesystem: { write: ['${workspace}'] }, network: { hosts: [{ host: 'api.example.com' }] } },
    });
    expect(refusal(await test.admin<Problem>('GET', `/policies/${id}/revisions/3`))).toEqual([404, 'revision.not-found']);
    expect(refusal(await test.admin<Problem>('POST', '/policies', { body: { yaml: POLICY } }))).toEqual([409, 'policy.exists']);
  });

  it('are refused with all their errors and places', async () => {
    const { status, headers, body } = await test.admin<Problem>('POST', '/policies', {
      body: { yaml: POLICY.replace('filesystem:', 'filesytem:').replace('hosts:', 'host:') },
    });
    expect([status, body.code, headers['content-type']]).toEqual([400, 'policy.invalid', 'application/problem+json']);
    expect([...new Set(body.errors.map(({ line }) => line))]).toEqual([6, 7]);
    expect(body.errors[0]?.message).toContain('filesystem');
  });
});

describe('assignments', () => {
  it('join what exists, once', async () => {
    const group = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'assigned' } })).body.id;
    const policy = (await test.admin<{ id: string }>('POST', '/policies', { body: { yaml: POLICY.replace('coding-agents', 'assigned') } }))
      .body.id;
    const body = { policyId: policy, groupId: group, mode: 'exclude' };
    const made = await test.admin<{ id: string; mode: string }>('POST', '/assignments', { body });
    expect([made.status, made.body.mode]).toEqual([201, 'exclude']);
    expect(refusal(await test.admin<Problem>('POST', '/assignments', { body }))).toEqual([409, 'assignment.exists']);
    expect(refusal(await test.admin<Problem>('POST', '/assignments', { body: { ...body, groupId: 'grp_none' } }))).toEqual([
      404,
      'group.not-found',
    ]);
    expect(refusal(await test.admin<Problem>('POST', '/assignments', { body: { ...body, mode: 'maybe' } }))).toEqual([
      400,
      'request.invalid',
    ]);
    expect((await test.admin<Page<{ id: string }>>('GET', `/assignments?groupId=${group}`)).body.items.map(({ id }) => id)).toEqual([
      made.body.id,
    ]);
    expect((await test.admin('DELETE', `/assignments/${made.body.id}`)).status).toBe(204);
    expect(refusal(await test.admin<Problem>('DELETE', `/assignments/${made.body.id}`))).toEqual([404, 'assignment.not-found']);
  });
});

describe('the HTTP layer', () => {
  it('refuses unknown members, wrong types and broken JSON instead of mending them', async () => {
    expect(refusal(await test.admin<Problem>('POST', '/groups', { body: { name: 'x', admin: true } }))).toEqual([400, 'request.invalid']);
    expect(refusal(await test.admin<Problem>('POST', '/enrollment-tokens', { body: { name: 'x', maxUses: '5' } }))).toEqual([
      400,
      'request.invalid',
    ]);
    expect(refusal(await test.admin<Problem>('GET', '/nothing'))).toEqual([404, 'request.not-found']);
    const { app } = test.plane.listeners.admin;
    const headers = { authorization: `Bearer ${test.ownerToken}`, 'content-type': 'application/json' };
    expect((await app.inject({ method: 'POST', url: '/api/v1/groups', headers, payload: '{"name":' })).statusCode).toBe(400);
    expect(
      (await app.inject({ method: 'POST', url: '/api/v1/groups', headers, payload: '{"__proto__":{"x":1},"name":"p"}' })).statusCode,
    ).toBe(400);
    expect(
      (
        await app.inject({ method: 'POST', url: '/api/v1/groups', headers: { ...headers, 'content-type': 'text/plain' }, payload: 'x' })
      ).json<Problem>().code,
    ).toBe('request.media-type');
    expect(
      (
        await app.inject({ method: 'POST', url: '/api/v1/policies', headers, payload: JSON.stringify({ yaml: 'x'.repeat(1_100_000) }) })
      ).json<Problem>().code,
    ).toBe('request.too-large');
  });

  it('sends its security headers and no cacheable secrets', async () => {
    const { headers } = await test.admin('GET', '/groups');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
  });
});
