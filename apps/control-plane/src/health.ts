/** `/healthz`: the process lives. `/readyz`: it can serve. */
import { Type } from 'typebox';
import type { Feature } from './context.ts';
import { Refusal } from './errors.ts';
import { waitingFor } from './witness/cosigning.ts';

const State = Type.Object(
  { status: Type.Literal('ok'), waiting: Type.Optional(Type.String({ description: 'What devices wait for' })) },
  { additionalProperties: false },
);
const route = { config: { permission: 'public' as const, rateLimit: false as const }, logLevel: 'silent' as const };

export const registerHealth: Feature = (app, context) => {
  const { pool } = context;
  app.get('/healthz', { ...route, schema: { tags: ['service'], summary: 'The process lives', response: { 200: State } } }, () => ({
    status: 'ok' as const,
  }));
  app.get(
    '/readyz',
    { ...route, schema: { tags: ['service'], summary: 'It can serve: the database answers', response: { 200: State } } },
    async () => {
      try {
        await pool.query('SELECT 1');
      } catch (cause) {
        throw new Refusal(503, 'db.unavailable', 'the database does not answer', { cause, retryable: true });
      }
      const waiting = waitingFor(context);
      return { status: 'ok' as const, ...(waiting !== undefined && { waiting }) };
    },
  );
};
