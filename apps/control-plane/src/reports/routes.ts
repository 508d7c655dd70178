/** What a device's reports rest on: its chains, the heads that it signed, what did not fit; and all of it for whoever verifies it elsewhere. */
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import type { PrismaClient } from '../db/generated/client.ts';
import { notFound } from '../errors.ts';
import { ById } from '../paging.ts';
import { exportReports } from './export.ts';
import { countFindings, deviceExists, listChains, listFindings, newestHeads } from './store.ts';

const closed = { additionalProperties: false } as const;
const Text = Type.Union([Type.String(), Type.Null()]);
/** Chains and findings that are shown; the export has all. */
const SHOWN = 50;

const HeadView = Type.Object(
  {
    seq: Type.Integer(),
    state: Type.String({ description: 'pending, verified, wrong-signature, not-reached or contradicts' }),
    reason: Text,
    receivedAt: Type.String(),
    verifiedAt: Text,
  },
  closed,
);
const ReportsView = Type.Object(
  {
    chains: Type.Array(
      Type.Object(
        {
          boot: Type.String(),
          seq: Type.Integer({ description: 'Events that are stored' }),
          hash: Type.String(),
          at: Type.String({ description: 'When the last of them was stored' }),
          head: Type.Union([HeadView, Type.Null()], { description: 'The last end of it that the device signed' }),
        },
        closed,
      ),
      { description: 'The newest first' },
    ),
    counts: Type.Object(
      {
        duplicate: Type.Integer(),
        gap: Type.Integer(),
        fork: Type.Integer(),
        'wrong-signature': Type.Integer(),
        'not-reached': Type.Integer(),
        contradicts: Type.Integer(),
      },
      { ...closed, description: 'Findings of the last 90 days, each once however often it came; of each kind 100 are kept' },
    ),
    findings: Type.Array(
      Type.Object(
        {
          kind: Type.String(),
          boot: Type.String(),
          seq: Type.Integer({ description: 'The event where it shows' }),
          hash: Type.String(),
          detail: Type.Record(Type.String(), Type.Unknown()),
          foundAt: Type.String(),
        },
        closed,
      ),
      { description: 'The newest first' },
    ),
  },
  closed,
);

/** @throws Refusal device.not-found */
const requireDevice = async (prisma: PrismaClient, id: string): Promise<void> => {
  if (!(await deviceExists(prisma, id))) throw notFound('device', id);
};

export const registerReports: Feature = (app, context) => {
  const { prisma, pool, clock } = context;
  const tags = ['devices'];

  app.get(
    '/devices/:id/reports',
    {
      config: { permission: 'telemetry.read' },
      schema: {
        tags,
        summary: 'How far its reports are stored and signed, and what did not fit in them',
        params: ById,
        response: { 200: ReportsView },
      },
    },
    async ({ params: { id } }) => {
      await requireDevice(prisma, id);
      const [chains, counts, findings] = await Promise.all([
        listChains(prisma, id, SHOWN),
        countFindings(prisma, id),
        listFindings(prisma, id, SHOWN),
      ]);
      const heads = await newestHeads(
        pool,
        id,
        chains.map(({ boot }) => boot),
      );
      const countOf = (kind: string): number => counts.get(kind) ?? 0;
      return {
        chains: chains.map(({ boot, seq, hash, at }) => {
          const head = heads.get(boot);
          return {
            boot,
            seq,
            hash,
            at: at.toISOString(),
            head:
              head === undefined
                ? null
                : {
                    seq: head.seq,
                    state: head.state,
                    reason: head.reason,
                    receivedAt: head.receivedAt.toISOString(),
                    verifiedAt: head.verifiedAt?.toISOString() ?? null,
                  },
          };
        }),
        counts: {
          duplicate: countOf('duplicate'),
          gap: countOf('gap'),
          fork: countOf('fork'),
          'wrong-signature': countOf('wrong-signature'),
          'not-reached': countOf('not-reached'),
          contradicts: countOf('contradicts'),
        },
        findings: findings.map(({ kind, boot, seq, hash, detail, foundAt }) => ({
          kind,
          boot,
          seq,
          hash,
          detail: (detail ?? {}) as Record<string, unknown>,
          foundAt: foundAt.toISOString(),
        })),
      };
    },
  );

  app.get(
    '/devices/:id/reports/export',
    {
      config: { permission: 'audit.read' },
      schema: {
        tags,
        summary:
          'All that is kept of its reports, with the heads that it signed: what `cordonctl reports verify` checks offline. Is audited',
        params: ById,
        response: { 200: { description: 'Lines', content: { 'application/x-ndjson': { schema: Type.Unsafe<Readable>(Type.String()) } } } },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      await requireDevice(prisma, id);
      await prisma.$transaction((tx) =>
        appendAudit(tx, { actor: actorOf(request).name, action: 'report.export', subject: id, detail: {}, at: clock() }),
      );
      void reply.type('application/x-ndjson');
      return Readable.from(exportReports(context, id));
    },
  );
};
