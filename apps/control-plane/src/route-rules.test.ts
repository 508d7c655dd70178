import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify from 'fastify';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import type { App } from './context.ts';
import { registerErrors } from './errors.ts';
import { enforceRouteRules, type KnownRoute } from './route-rules.ts';

const make = (): { app: App; routes: readonly KnownRoute[] } => {
  const app: App = Fastify({
    exposeHeadRoutes: false,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  }).withTypeProvider<TypeBoxTypeProvider>();
  const routes = enforceRouteRules(app);
  registerErrors(app);
  return { app, routes };
};
const closed = { additionalProperties: false } as const;
const response = { 200: Type.Object({ n: Type.Integer() }, closed) };
const config = { permission: 'public' as const };
const summary = 'what it is for';

describe('a route', () => {
  it('that says all of itself is registered, with its permission', () => {
    const { app, routes } = make();
    app.get('/api/v1/things/:id', { config: { permission: 'groups.read' }, schema: { summary, response } }, () => ({ n: 1 }));
    expect(routes).toEqual([{ method: 'GET', url: '/api/v1/things/:id', permission: 'groups.read' }]);
  });

  it.each([
    ['without a permission', { schema: { summary, response } }, 'route.no-permission'],
    [
      'with a permission that nobody knows',
      { config: { permission: 'all' as 'public' }, schema: { summary, response } },
      'route.no-permission',
    ],
    ['without its answers', { config, schema: { summary } }, 'route.no-response'],
    ['without any schema', { config }, 'route.no-response'],
    ['without a summary', { config, schema: { response } }, 'route.no-summary'],
    ['with an open body', { config, schema: { summary, response, body: Type.Object({}) } }, 'route.open-schema'],
    ['with an open query', { config, schema: { summary, response, querystring: Type.Object({}) } }, 'route.open-schema'],
    ['with open parameters', { config, schema: { summary, response, params: Type.Object({}) } }, 'route.open-schema'],
  ])('%s keeps the service from starting', (_name, options, code) => {
    const { app } = make();
    expect(() => app.post('/x', options as object, () => ({ n: 1 }))).toThrow(expect.objectContaining({ code, place: '/x' }));
  });

  it('gets its query in the types that its schema names, and refuses what does not fit', async () => {
    const { app } = make();
    app.get(
      '/x',
      { config, schema: { summary, response, querystring: Type.Object({ n: Type.Integer({ minimum: 1 }) }, closed) } },
      ({ query }) => ({ n: query.n + 1 }),
    );
    expect((await app.inject('/x?n=4')).json()).toEqual({ n: 5 });
    for (const query of ['n=0', 'n=1.5', 'n=x', 'n=', 'm=1&n=1', 'n=1&n=2', '']) {
      const reply = await app.inject(`/x?${query}`);
      expect([reply.statusCode, reply.json<{ code: string }>().code], query).toEqual([400, 'request.invalid']);
    }
  });
});
