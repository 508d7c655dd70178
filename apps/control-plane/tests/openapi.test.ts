import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPlane, type TestPlane } from './_util.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly Record<string, readonly string[]>[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: object }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<string, { readonly description: string; readonly content?: Record<string, { readonly schema: object }> }>;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly license: { readonly name: string } };
  readonly security?: readonly Record<string, readonly string[]>[];
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components?: { readonly schemas?: Record<string, object>; readonly securitySchemes?: Record<string, object> };
}

let test: TestPlane;
beforeAll(async () => {
  test = await startPlane();
});
afterAll(() => test.close());

const documentOf = async (which: 'admin' | 'device'): Promise<Document> => {
  const reply = await test.plane.listeners[which].app.inject({
    url: which === 'admin' ? '/api/v1/openapi.json' : '/agent/v1/openapi.json',
  });
  expect(reply.statusCode).toBe(200);
  return reply.json<Document>();
};
const operations = ({ paths }: Document): { path: string; method: string; operation: Operation }[] =>
  Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));

const TYPES = new Set(['null', 'boolean', 'object', 'array', 'number', 'integer', 'string']);
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What JSON Schema 2020-12, which OpenAPI 3.1 uses, does not allow in a schema; by place. */
const faultsOf = (schema: unknown, place: string, document: Document): string[] => {
  if (typeof schema === 'boolean') return [];
  if (!isObject(schema)) return [`${place} is not a schema`];
  const faults: string[] = [];
  const { $ref, type, required, enum: values, properties, items } = schema;
  if (typeof $ref === 'string') {
    const name = /^#\/components\/schemas\/([\w-]+)$/.exec($ref)?.[1];
    if (name === undefined || document.components?.schemas?.[name] === undefined) faults.push(`${place}: ${$ref} leads nowhere`);
  }
  for (const one of Array.isArray(type) ? type : [type])
    if (one !== undefined && !TYPES.has(String(one))) faults.push(`${place}: type ${String(one)}`);
  for (const old of ['nullable', 'example', 'discriminator', 'id', 'definitions'])
    if (old in schema) faults.push(`${place}: ${old} is not of 3.1`);
  if (values !== undefined && (!Array.isArray(values) || values.length === 0)) faults.push(`${place}: enum must list values`);
  if (required !== undefined && !(Array.isArray(required) && required.every((name) => isObject(properties) && String(name) in properties)))
    faults.push(`${place}: requires what it does not describe`);
  if (type === 'array' && items === undefined) faults.push(`${place}: an array of what?`);
  const parts: [string, unknown][] = [
    ...Object.entries(isObject(properties) ? properties : {}),
    ...Object.entries(isObject(schema['patternProperties']) ? schema['patternProperties'] : {}),
    ...(['allOf', 'anyOf', 'oneOf'] as const).flatMap((word) =>
      (Array.isArray(schema[word]) ? schema[word] : []).map((part, i): [string, unknown] => [`${word}/${i}`, part]),
    ),
    ...(['items', 'additionalProperties', 'not'] as const).flatMap((word): [string, unknown][] =>
      schema[word] === undefined ? [] : [[word, schema[word]]],
    ),
  ];
  return [...faults, ...parts.flatMap(([name, part]) => faultsOf(part, `${place}/${name}`, document))];
};

describe.each(['admin', 'device'] as const)('the %s listener', (which) => {
  it('describes every route, with a summary, who may call it, and what it answers', async () => {
    const document = await documentOf(which);
    const described = new Map(
      operations(document).map(({ path, method, operation }) => [
        `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
        operation,
      ]),
    );
    const routes = test.plane.listeners[which].routes.filter(({ url }) => !url.endsWith('/openapi.json'));
    expect([...described.keys()].sort()).toEqual(routes.map(({ method, url }) => `${method} ${url}`).sort());
    for (const { method, url, permission } of routes) {
      const operation = described.get(`${method} ${url}`);
      expect(operation?.summary.length, `${method} ${url}`).toBeGreaterThan(10);
      expect(Object.keys(operation?.responses ?? {}), `${method} ${url}`).toEqual(
        expect.arrayContaining([expect.stringMatching(/^(2|1)/), '4XX', '5XX']),
      );
      const security = operation?.security ?? document.security;
      expect(security, `${method} ${url}`).toEqual(permission === 'public' || permission === 'device' ? [] : [{ token: [] }]);
    }
  });

  it('is valid OpenAPI 3.1', async () => {
    const document = await documentOf(which);
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect([document.info.title, document.info.version, document.info.license.name].every((text) => text.length > 0)).toBe(true);
    const all = operations(document);
    expect(all.length).toBeGreaterThan(5);
    const ids = all.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z0-9]+$/);
    const faults: string[] = [];
    for (const { path, method, operation } of all) {
      const place = `${method} ${path}`;
      expect(path, place).toMatch(/^\//);
      expect(['get', 'put', 'post', 'delete', 'patch'], place).toContain(method);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const parameters = operation.parameters ?? [];
      expect(
        parameters.filter((one) => one.in === 'path' && one.required === true).map(({ name }) => name),
        place,
      ).toEqual(inPath);
      for (const one of parameters) {
        expect(['path', 'query', 'header'], place).toContain(one.in);
        faults.push(...faultsOf(one.schema, `${place} ${one.name}`, document));
      }
      for (const scheme of (operation.security ?? document.security ?? []).flatMap((one) => Object.keys(one)))
        expect(document.components?.securitySchemes, place).toHaveProperty(scheme);
      for (const { schema } of Object.values(operation.requestBody?.content ?? {}))
        faults.push(...faultsOf(schema, `${place} body`, document));
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        expect(status, place).toMatch(/^[1-5](\d\d|XX)$/);
        expect(description.length, place).toBeGreaterThan(0);
        if (status === '204') expect(content, place).toBeUndefined();
        for (const { schema } of Object.values(content ?? {})) faults.push(...faultsOf(schema, `${place} ${status}`, document));
      }
    }
    for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) faults.push(...faultsOf(schema, name, document));
    expect(faults).toEqual([]);
  });

  it('tells of refusals as problems, and in their own media type', async () => {
    const document = await documentOf(which);
    for (const { operation } of operations(document))
      for (const status of ['4XX', '5XX'])
        expect(operation.responses[status]?.content).toEqual({
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        });
  });
});
