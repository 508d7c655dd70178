/** The history of checkpoints for those who follow it independently: to read on, to cosign, and what devices found in it. */
import { Type, type Static } from 'typebox';
import type { Feature } from '../context.ts';
import type { HistoryFinding } from '../db/generated/client.ts';
import { decodeNumber, Page } from '../paging.ts';
import { takeCosignature } from './cosigning.ts';
import { listFindings, readOnwards } from './store.ts';
import { createWaiting } from './waiting.ts';

const closed = { additionalProperties: false } as const;
const Place = (description: string) => Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647, default: 0, description }));
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });
/** Checkpoints in one answer. */
const PAGE = 200;
const MAX_WAIT_SECONDS = 25;

const Onwards = Type.Object(
  {
    epoch: Place('Where to begin, that one included'),
    number: Place('Its place in the epoch'),
    wait: Type.Optional(
      Type.Integer({ minimum: 0, maximum: MAX_WAIT_SECONDS, default: 0, description: 'Seconds to wait for something beyond the first' }),
    ),
  },
  closed,
);
const CheckpointView = Type.Object(
  {
    epoch: Type.Integer(),
    number: Type.Integer(),
    serial: Type.Integer(),
    digest: Type.String(),
    jws: Type.String(),
    witnesses: Type.Array(Type.String(), { description: 'Keys that have cosigned it' }),
  },
  closed,
);
const History = Type.Object(
  {
    items: Type.Array(CheckpointView),
    roots: Type.Integer({ description: 'How many root documents there are' }),
    demanded: Type.Integer({ description: 'How many witnesses the root demands' }),
    more: Type.Boolean({ description: 'There are later ones already' }),
  },
  closed,
);

const FindingView = Type.Object(
  {
    device: Type.String(),
    code: Type.String(),
    proved: Type.Boolean({ description: 'The two checkpoints show it by themselves' }),
    foundAt: Type.String(),
    earlier: Type.Object({ digest: Type.String(), jws: Type.String() }, closed),
    later: Type.Object({ digest: Type.String(), jws: Type.String() }, closed),
  },
  closed,
);
const showFinding = ({ deviceId, code, proved, foundAt, earlier, later, evidence }: HistoryFinding): Static<typeof FindingView> => {
  const [first = '', second = ''] = evidence as string[];
  return {
    device: deviceId,
    code,
    proved,
    foundAt: foundAt.toISOString(),
    earlier: { digest: earlier, jws: first },
    later: { digest: later, jws: second },
  };
};

export const registerHistory: Feature = (app, context) => {
  const { prisma, organisation, published } = context;
  const waiting = createWaiting(published);
  app.addHook('preClose', async () => waiting.close());
  const tags = ['history'];

  app.get(
    '/checkpoints',
    {
      config: { permission: 'checkpoints.read' },
      schema: {
        tags,
        summary: 'The history of checkpoints from a place on, oldest first; kept for 90 days',
        querystring: Onwards,
        response: { 200: History },
      },
    },
    async ({ query: { epoch = 0, number = 0, wait = 0 } }) => {
      const news = waiting.next(wait * 1000);
      const read = () => readOnwards(prisma, epoch, number, PAGE + 1);
      let rows = await read();
      if (rows.length < 2 && wait > 0) {
        await news.come;
        rows = await read();
      }
      news.end();
      return {
        items: rows.slice(0, PAGE).map((row) => ({ ...row, witnesses: [...row.witnesses] })),
        roots: organisation.roots.length,
        demanded: published.demanded,
        more: rows.length > PAGE,
      };
    },
  );

  app.get(
    '/checkpoints/roots',
    {
      config: { permission: 'checkpoints.read' },
      schema: {
        tags,
        summary: 'The root documents, which name the keys that all this is signed with',
        response: { 200: Type.Object({ org: Type.String(), roots: Type.Array(Type.String()) }, closed) },
      },
    },
    () => ({ org: organisation.orgId, roots: [...organisation.roots] }),
  );

  app.post(
    '/checkpoints/:digest/cosignatures',
    {
      // Whoever reads the history may bring it: it proves itself by a key that the root names.
      config: { permission: 'checkpoints.read' },
      schema: {
        tags,
        summary: 'A witness that the root names says that it has seen this checkpoint in the one history; the cosignature proves itself',
        params: Type.Object({ digest: Digest }, closed),
        body: Type.Object({ cosignature: Type.String({ maxLength: 2048 }) }, closed),
        response: { 201: Type.Object({ cosigned: Type.Integer(), demanded: Type.Integer() }, closed) },
      },
    },
    async ({ params: { digest }, body: { cosignature } }, reply) => {
      const cosigned = await takeCosignature(context, digest, cosignature);
      return reply.code(201).send({ cosigned, demanded: published.demanded });
    },
  );

  app.get(
    '/history-findings',
    {
      config: { permission: 'devices.read' },
      schema: {
        tags,
        summary:
          'What devices found in the history that they were shown: forks, what shrank, and gaps that could not be walked; newest first',
        querystring: Type.Object(
          {
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
            cursor: Type.Optional(Type.String({ maxLength: 16 })),
            device: Type.Optional(Type.String({ maxLength: 64 })),
          },
          closed,
        ),
        response: { 200: Page(FindingView) },
      },
    },
    async ({ query: { limit = 50, cursor, device } }) => {
      const rows = await listFindings(prisma, device, decodeNumber(cursor, 2_147_483_647), limit + 1);
      const items = rows.slice(0, limit);
      return { items: items.map(showFinding), next: rows.length > limit ? String(items.at(-1)?.id ?? '') : null };
    },
  );
};
