/** The OpenAPI 3.1 document of a listener, made from the schemas that its routes validate with, and the route that serves it. */
import swagger from '@fastify/swagger';
import type { App } from './context.ts';

interface About {
  /** Of its routes; the document is at `<prefix>/openapi.json`. */
  readonly prefix: string;
  readonly title: string;
  readonly description: string;
  /** How a caller proves who it is; undefined when the proof is in the message itself. */
  readonly token?: string;
}

/** Call it before the routes that it shall describe. */
export const describeApi = async (app: App, { prefix, title, description, token }: About): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version: '1', description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      ...(token !== undefined && {
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', description: token } } },
        security: [{ token: [] }],
      }),
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, index) => (typeof schema['$id'] === 'string' ? schema['$id'] : `schema-${index}`),
    },
  });
  app.get(
    `${prefix}/openapi.json`,
    {
      config: { permission: 'public' },
      schema: { hide: true, summary: 'This document', response: { 200: { type: 'object', additionalProperties: true } } },
    },
    () => ({ ...app.swagger() }),
  );
};
