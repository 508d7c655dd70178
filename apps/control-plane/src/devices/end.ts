/** The end of devices: for good, and known to every replica at once. */
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { notifySessions } from '../gateway/notices.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { mayEnd, type End } from './standing.ts';
import { lockStandings, markEnded } from './store.ts';

const ACTIONS = { revoked: 'device.revoke', retired: 'device.retire', rejected: 'device.reject' } as const;

/**
 * Ends devices in one transaction: rows, audit entries, and word to every replica. Those that cannot end so are left as they are.
 * @returns which ended
 */
export const endDevices = async (
  context: Context,
  { devices, end, actor }: { readonly devices: readonly string[]; readonly end: End; readonly actor: string },
): Promise<{ readonly ended: readonly string[]; readonly known: ReadonlySet<string> }> => {
  const { prisma, clock, hub, stored } = context;
  const at = clock();
  const result = await prisma.$transaction(async (tx) => {
    const known = await lockStandings(tx, devices);
    const ended = [...known.values()].filter(({ standing }) => mayEnd(standing, end));
    const ids = ended.map(({ id }) => id);
    await markEnded(tx, ids, end, at);
    await notifySessions(tx, { kind: 'end', reason: `device.${end}`, devices: ids });
    for (const { id, name, standing } of ended)
      await appendAudit(tx, { actor, action: ACTIONS[end], subject: id, detail: { name, was: standing }, at });
    return { ended: ids, known: new Set(known.keys()) };
  });
  for (const id of result.ended) hub.disconnect(id, CLOSE.revoked, `device.${end}`);
  if (result.ended.length > 0) {
    await onMembershipChanged(context, result.ended);
    stored.emit(result.ended);
  }
  return result;
};
