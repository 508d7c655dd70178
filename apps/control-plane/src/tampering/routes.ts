/** What a device says of its own state, and what was found against it. */
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import { notFound } from '../errors.ts';
import { ById } from '../paging.ts';
import { clearFinding, findIntegrity } from './store.ts';

const closed = { additionalProperties: false } as const;
const Text = Type.Union([Type.String(), Type.Null()]);
const View = Type.Object(
  {
    device: Type.String(),
    state: Type.String(),
    hellos: Type.Integer(),
    accepted: Type.Object({ epoch: Type.Integer(), serial: Type.Integer() }, closed),
    assurance: Type.String(),
    /** A maintenance grant names it. */
    machineBoot: Text,
    /** How the daemon before the present one ended. */
    after: Type.String(),
    saidAt: Type.String(),
    finding: Type.Union([Type.Object({ code: Type.String(), detail: Type.String(), at: Type.String() }, closed), Type.Null()]),
  },
  closed,
);

export const registerTampering: Feature = (app, { prisma, clock, stored }) => {
  const tags = ['devices'];

  app.get(
    '/devices/:id/integrity',
    {
      config: { permission: 'devices.read' },
      schema: {
        tags,
        summary: 'What the device says of its own state, and what was found against it',
        params: ById,
        response: { 200: View },
      },
    },
    async ({ params: { id } }) => {
      const row = await findIntegrity(prisma, id);
      if (row === null) throw notFound('integrity', id);
      const { finding, findingDetail, foundAt } = row;
      return {
        device: id,
        state: row.state,
        hellos: row.counter,
        accepted: { epoch: row.epoch, serial: row.serial },
        assurance: row.assurance,
        machineBoot: row.machineBoot,
        after: row.after,
        saidAt: row.saidAt.toISOString(),
        finding: finding === null || foundAt === null ? null : { code: finding, detail: findingDetail ?? '', at: foundAt.toISOString() },
      };
    },
  );

  app.post(
    '/devices/:id/integrity/dismiss',
    {
      config: { permission: 'devices.write' },
      schema: {
        tags,
        summary: 'Somebody has looked: the finding against its state does not stand any more',
        params: ById,
        response: { 200: Type.Object({ dismissed: Type.Boolean() }, closed) },
      },
    },
    async (request) => {
      const { id } = request.params;
      const finding = await prisma.$transaction(async (tx) => {
        const dismissed = await clearFinding(tx, id);
        if (dismissed !== undefined)
          await appendAudit(tx, {
            actor: actorOf(request).name,
            action: 'device.finding-dismiss',
            subject: id,
            detail: { finding: dismissed },
            at: clock(),
          });
        return dismissed;
      });
      stored.emit([id]);
      return { dismissed: finding !== undefined };
    },
  );
};
