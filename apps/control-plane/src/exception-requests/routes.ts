/** What people on devices ask for. */
import { Type } from 'typebox';
import type { Feature } from '../context.ts';
import { decodeCursor, Page, PageQuery, pageOf } from '../paging.ts';
import { RequestView, showRequest, STATES } from './request.ts';
import { listRequests } from './store.ts';

const Filter = Type.Object(
  {
    ...PageQuery.properties,
    device: Type.Optional(Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$' })),
    state: Type.Optional(Type.Enum([...STATES])),
  },
  { additionalProperties: false },
);

export const registerExceptionRequests: Feature = (app, { pool }) => {
  app.get(
    '/exception-requests',
    {
      config: { permission: 'requests.read' },
      schema: {
        tags: ['exceptions'],
        summary: 'What people on devices ask to be allowed, newest first; nothing is granted by it',
        querystring: Filter,
        response: { 200: Page(RequestView) },
      },
    },
    async ({ query: { limit = 50, cursor, device, state } }) => {
      const where = { ...(device !== undefined && { device }), ...(state !== undefined && { state }) };
      const before = cursor === undefined ? undefined : decodeCursor(cursor, 'exr');
      const rows = await listRequests(pool, where, before, limit + 1);
      return pageOf(rows, limit, ({ receivedAt: at, id }) => ({ at, id }), showRequest);
    },
  );
};
