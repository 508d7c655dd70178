/** What every route must say of itself. A route that does not keeps the service from starting, so nothing is open or undocumented by accident. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { App } from './context.ts';
import { Problem } from './errors.ts';
import { isPermission, type DevicePermission, type Permission } from './auth/permissions.ts';

export interface KnownRoute {
  readonly method: string;
  readonly url: string;
  readonly permission: Permission | DevicePermission;
}

const isClosed = (schema: unknown): boolean =>
  typeof schema === 'object' &&
  schema !== null &&
  (('additionalProperties' in schema && schema.additionalProperties === false) || 'anyOf' in schema);

/** A query string carries only text: what its schema calls an integer becomes one when it is written as one. Nothing else is mended; the schema judges. */
const readQuery = (schema: unknown, query: unknown): Record<string, unknown> => {
  const { properties = {} } = schema as { properties?: Readonly<Record<string, { readonly type?: string }>> };
  const isInteger = (name: string, value: unknown): value is string =>
    properties[name]?.type === 'integer' && typeof value === 'string' && /^-?(?:0|[1-9]\d{0,14})$/.test(value);
  return Object.fromEntries(Object.entries(query ?? {}).map(([name, value]) => [name, isInteger(name, value) ? Number(value) : value]));
};

/** `GET /api/v1/devices/:id/compliance` is getDevicesIdCompliance: for whoever generates a client. */
const operationId = (method: string, url: string): string =>
  [method.toLowerCase(), ...url.replace(/^\/(?:api|agent)\/v\d+/, '').split(/[^A-Za-z0-9]+/)]
    .filter(Boolean)
    .map((word, i) => (i === 0 ? word : `${word.charAt(0).toUpperCase()}${word.slice(1)}`))
    .join('');

/**
 * Demands of each route a permission, a summary, response schemas, and closed schemas for all that it is given.
 * @returns the list of routes, filled while features register
 */
export const enforceRouteRules = (app: App): readonly KnownRoute[] => {
  const routes: KnownRoute[] = [];
  const broken = (code: string, url: string, what: string): CordonError => new CordonError(code, `route ${url}: ${what}`, { place: url });
  app.addSchema(Problem);
  const problem = (description: string): object => ({
    description,
    content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
  });
  app.addHook('onRoute', (route) => {
    const permission = route.config?.permission;
    if (permission === undefined || !(permission === 'device' || isPermission(permission)))
      throw broken('route.no-permission', route.url, 'name its permission in config.permission');
    const schema = route.schema;
    if (schema?.response === undefined) throw broken('route.no-response', route.url, 'describe its answers in schema.response');
    if (schema.summary === undefined || schema.summary === '')
      throw broken('route.no-summary', route.url, 'say in schema.summary what it is for');
    for (const part of ['body', 'querystring', 'params'] as const)
      if (schema[part] !== undefined && !isClosed(schema[part]))
        throw broken('route.open-schema', route.url, `${part} must refuse unknown members`);
    schema.response = {
      ...schema.response,
      '4xx': problem('Refused: the code says why, the detail what to do'),
      '5xx': problem('Failed: 503 may be tried again, after Retry-After'),
    };
    if (permission === 'public' || permission === 'device') schema.security = [];
    for (const method of [route.method].flat()) {
      schema.operationId = operationId(method, route.url);
      routes.push({ method, url: route.url, permission });
    }
  });
  app.addHook('preValidation', async (request) => {
    const query = request.routeOptions.schema?.querystring;
    if (query !== undefined) request.query = readQuery(query, request.query);
  });
  return routes;
};
