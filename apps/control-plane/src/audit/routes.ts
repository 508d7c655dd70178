/** Reading the audit log. Nothing here writes: entries come only with the actions that they tell of. */
import { Readable } from 'node:stream';
import { Type, type Static } from 'typebox';
import type { Feature } from '../context.ts';
import type { AuditEntry, PrismaClient } from '../db/generated/client.ts';
import { decodeNumber, Page } from '../paging.ts';
import { historyOf } from '../witness/exported.ts';
import { auditHead } from './audit.ts';
import { entriesAfter, listEntries } from './store.ts';

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

const viewOf = (row: AuditEntry): Static<typeof EntryView> => ({
  ...row,
  seq: Number(row.seq),
  at: row.at.toISOString(),
  detail: (row.detail ?? {}) as Record<string, unknown>,
});

/** Entries read at a time: what an export keeps in memory. */
const CHUNK = 500;

/** One entry a line, oldest first, up to the newest entry of now; each checkpoint, if they are wanted, after the entry that it carries as the log's head. */
async function* exported(prisma: PrismaClient, withCheckpoints: boolean): AsyncGenerator<string> {
  const { seq: last } = await auditHead(prisma);
  const history = historyOf(prisma);
  let due = withCheckpoints ? await history.next() : undefined;
  for (let after = 0; after < last;) {
    const rows = await entriesAfter(prisma, after, last, CHUNK);
    let text = '';
    for (const row of rows) {
      text += `${JSON.stringify(viewOf(row))}\n`;
      for (; due?.done === false && due.value.seq <= Number(row.seq); due = await history.next())
        text += `${JSON.stringify({ checkpoint: due.value.jws })}\n`;
    }
    yield text;
    // A gap in the numbers must show in what is exported, not keep the export from ending.
    after = Number(rows.at(-1)?.seq ?? last);
  }
}

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
      const items = rows.slice(0, limit).map(viewOf);
      return { items, next: rows.length > limit ? String(items.at(-1)?.seq ?? '') : null };
    },
  );

  app.get(
    '/audit/export',
    {
      config: { permission: 'audit.read' },
      schema: {
        tags: ['audit'],
        summary:
          'The whole log, one entry a line, oldest first: what `cordonctl audit verify` checks offline, and with checkpoints `cordonctl audit roots`',
        querystring: Type.Object(
          {
            checkpoints: Type.Optional(
              Type.Enum(['true', 'false'], { default: 'false', description: 'Those that are kept, each after its entry' }),
            ),
          },
          closed,
        ),
        response: {
          200: { description: 'Entries', content: { 'application/x-ndjson': { schema: Type.Unsafe<Readable>(Type.String()) } } },
        },
      },
    },
    async ({ query: { checkpoints } }, reply) => {
      void reply.type('application/x-ndjson');
      return Readable.from(exported(prisma, checkpoints === 'true'));
    },
  );
};
