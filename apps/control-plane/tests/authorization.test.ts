import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootstrapOwner } from '../src/auth/routes.ts';
import { may, ROLES, type Role } from '../src/auth/permissions.ts';
import { startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
const tokens = new Map<Role, string>();

beforeAll(async () => {
  test = await startPlane();
  for (const role of ROLES) tokens.set(role, await test.tokenOf(role));
});
afterAll(() => test.close());

const concrete = (url: string): string => url.replaceAll(/:[A-Za-z]+/g, 'none_0000000000000000');

describe('every route of the admin listener', () => {
  it('is on the list, with a permission', () => {
    const { routes } = test.plane.listeners.admin;
    expect(routes.length).toBeGreaterThan(30);
    expect(
      routes
        .filter(({ permission }) => permission === 'public')
        .map(({ url }) => url)
        .sort(),
    ).toEqual(['/api/v1/openapi.json', '/healthz', '/readyz']);
  });

  it('refuses who has no token, an unknown one, or something else in the header', async () => {
    for (const { method, url, permission } of test.plane.listeners.admin.routes) {
      if (permission === 'public') continue;
      for (const authorization of [
        undefined,
        'Bearer cordon_pat_000000000000000000000000_0000000000000000000000000000000000000000000',
        `Basic ${test.ownerToken}`,
        `Bearer ${test.ownerToken}x`,
      ]) {
        const { status, body } = await test.admin<{ code: string }>(method, concrete(url), {
          token: '',
          ...(authorization !== undefined && { headers: { authorization } }),
        });
        expect([status, body.code.startsWith('auth.')], `${method} ${url} ${authorization ?? 'without'}`).toEqual([401, true]);
      }
    }
  });

  it.each(ROLES)('lets the role %s do what the table says and nothing else', async (role) => {
    for (const { method, url, permission } of test.plane.listeners.admin.routes) {
      if (permission === 'public' || permission === 'device') continue;
      const { status } = await test.admin(method, concrete(url), {
        token: tokens.get(role),
        ...(method !== 'GET' && method !== 'DELETE' && { body: {} }),
      });
      expect(status === 403, `${role} ${method} ${url} (${permission}) answered ${status}`).toBe(!may(role, permission));
      expect(status).not.toBe(401);
      expect(status).toBeLessThan(500);
    }
  });

  it('takes nothing on the device listener with an admin token, and no device route on the admin listener', async () => {
    for (const { url } of test.plane.listeners.device.routes.filter((route) => route.url.startsWith('/agent')))
      expect((await test.admin('GET', `/api/..${url}`)).status).toBe(404);
    const reply = await test.plane.listeners.device.app.inject({
      url: '/api/v1/devices',
      headers: { authorization: `Bearer ${test.ownerToken}` },
    });
    expect(reply.statusCode).toBe(404);
  });
});

describe('API tokens', () => {
  it('are shown once, kept as a hash, and end at once when revoked', async () => {
    const made = await test.admin<{ id: string; token: string }>('POST', '/api-tokens', {
      body: { name: 'ci', role: 'gitops', ttlSeconds: 3600 },
    });
    expect(made.status).toBe(201);
    const stored = await test.plane.context.prisma.apiToken.findUniqueOrThrow({ where: { id: made.body.id } });
    expect(JSON.stringify(stored)).not.toContain(made.body.token.slice(-43));
    expect((await test.admin('GET', '/policies', { token: made.body.token })).status).toBe(200);
    expect((await test.admin('DELETE', `/api-tokens/${made.body.id}`)).status).toBe(204);
    const after = await test.admin<{ code: string }>('GET', '/policies', { token: made.body.token });
    expect([after.status, after.body.code]).toEqual([401, 'auth.token-revoked']);
  });

  it('end by themselves', async () => {
    const made = await test.admin<{ id: string; token: string }>('POST', '/api-tokens', {
      body: { name: 'short', role: 'auditor', ttlSeconds: 60 },
    });
    await test.plane.context.prisma.apiToken.update({ where: { id: made.body.id }, data: { expiresAt: new Date(Date.now() - 1000) } });
    expect((await test.admin<{ code: string }>('GET', '/policies', { token: made.body.token })).body.code).toBe('auth.token-expired');
  });

  it('the last owner cannot be locked out', async () => {
    const { body } = await test.admin<{ items: { id: string; role: string }[] }>('GET', '/api-tokens?limit=500');
    const owners = body.items.filter(({ role }) => role === 'owner');
    const answers = [];
    for (const { id } of owners) answers.push(await test.admin<{ code?: string }>('DELETE', `/api-tokens/${id}`));
    expect(answers.some(({ status }) => status === 409 || status === 401)).toBe(true);
    const left = await test.plane.context.prisma.apiToken.count({ where: { role: 'owner', revokedAt: null } });
    expect(left).toBeGreaterThan(0);
  });

  it('the first owner is made only together with the file that has it', async () => {
    const { context } = test.plane;
    await context.prisma.apiToken.updateMany({ where: { role: 'owner' }, data: { revokedAt: new Date() } });
    const owners = (): Promise<number> => context.prisma.apiToken.count({ where: { role: 'owner', revokedAt: null } });
    const full = (): void => {
      throw new Error('no space left on the device');
    };
    await expect(bootstrapOwner(context, full)).rejects.toThrow('no space left');
    expect(await owners()).toBe(0);
    const kept: string[] = [];
    const token = await bootstrapOwner(context, (text) => kept.push(text));
    expect([kept, await owners()]).toEqual([[token], 1]);
    expect((await test.admin('GET', '/policies', { token: token ?? '' })).status).toBe(200);
    expect(await bootstrapOwner(context, full)).toBeUndefined();
  });
});
