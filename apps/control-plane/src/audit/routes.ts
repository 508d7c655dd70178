/** Reading the audit log. Nothing here writes: entries come only with the actions that they tell of. */
import { Type } from 'typebox';
import type { Feature } from '../context.ts';
import { decodeNumber, Page } from '../paging.ts';
import { listEntries } from './store.ts';

const closed = { additionalProperties: false } as const;
const EntryView = Type.Object(
  {
    seq: Type.Integer(),
    at: Type.String(),
    actor: Type.String(),
    action: Type.String(),
    subject: Type.String(),
    detail: Type.Record(Type.String(), Type.Unknown()),
    prevHash: Type.String(),
    hash: Type.String(),
  },
  closed,
);
const Query = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 256 })),
    actor: Type.Optional(Type.String({ maxLength: 128, description: 'As in the entries: token:ID, enrollment-token:ID or system' })),
    action: Type.Optional(Type.String({ maxLength: 64 })),
    subject: Type.Optional(Type.String({ maxLength: 64 })),
  },
  closed,
);

export const registerAudit: Feature = (app, { prisma }) => {
  app.get(
    '/audit',
    {
      config: { permission: 'audit.read' },
      schema: {
        tags: ['audit'],
        summary: 'Newest first; each entry carries the hash of the one before',
        querystring: Query,
        response: { 200: Page(EntryView) },
      },
    },
    async (request) => {
      const { limit = 50, cursor, ...filter } = request.query;
      const rows = await listEntries(prisma, filter, decodeNumber(cursor, Number.MAX_SAFE_INTEGER), limit + 1);
      const items = rows
        .slice(0, limit)
        .map((row) => ({ ...row, seq: Number(row.seq), at: row.at.toISOString(), detail: (row.detail ?? {}) as Record<string, unknown> }));
      return { items, next: rows.length > limit ? String(items.at(-1)?.seq ?? '') : null };
    },
  );
};
