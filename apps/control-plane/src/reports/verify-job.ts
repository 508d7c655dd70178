/** Verifies signed heads in the background, in batches: nobody waits for it, and a device that lies is found some seconds later. */
import type { Context } from '../context.ts';
import type { DeviceHead } from '../db/generated/client.ts';
import { archivedBatches } from '../telemetry/telemetry.ts';
import { recordFindings } from './findings.ts';
import { findCursor, keySince, pendingHeads, settleHead, verifiedBefore } from './store.ts';
import { verifyHead, type HeadVerdict } from './verify.ts';

type Parts = Pick<Context, 'prisma' | 'pool' | 'clock' | 'organisation'>;

const BATCH = 200;
/** A job leaves the queue to others after this time; what is left waits for the next one. */
const MOST_MS = 5000;
/** The archive is kept for so long (jobs/retention.ts); what is older is gone rightly. */
const ARCHIVE_MS = 90 * 86_400_000;

/** A head that was on its way while the device's key was replaced was signed with the one before; the device signs again in its next session. */
const ROTATION_MS = 60_000;
const ROTATED = 'key.rotated';

const judge = async ({ prisma, pool, clock, organisation }: Parts, head: DeviceHead): Promise<HeadVerdict> => {
  const { deviceId: device, boot, seq, hash, jws, key } = head;
  const verified = await verifiedBefore(prisma, head);
  const claim = { org: organisation.orgId, device, boot, seq, hash, jws, key };
  const verdict = await verifyHead(claim, verified, archivedBatches(pool, device, boot, verified.seq, seq));
  if (verdict.reason === 'jws.key') {
    const since = await keySince(prisma, device);
    const rotated = since !== undefined && Math.abs(since.getTime() - head.receivedAt.getTime()) < ROTATION_MS;
    return rotated ? { ...verdict, reason: ROTATED } : verdict;
  }
  if (verdict.state !== 'not-reached') return verdict;
  // A device that comes back after months signs what retention has taken meanwhile: of that the cursor is left.
  const cursor = await findCursor(prisma, device, boot);
  const expired = cursor !== null && cursor.seq === seq && cursor.hash === hash && clock().getTime() - cursor.at.getTime() > ARCHIVE_MS;
  return expired ? { state: 'verified', reason: 'archive.expired', seq } : verdict;
};

const settle = async ({ prisma, clock }: Parts, head: DeviceHead, { state, reason, seq }: HeadVerdict): Promise<void> => {
  const at = clock();
  await prisma.$transaction(async (tx) => {
    if (!(await settleHead(tx, head, { state, reason }, at)) || state === 'verified' || reason === ROTATED) return;
    const { deviceId: device, boot, hash, seq: signed } = head;
    await recordFindings(tx, [{ device, kind: state, boot, seq, hash, detail: { signed, reason } }], at);
  });
};

/** Until none waits, or its time is over. */
export const verifyHeads = async (context: Parts): Promise<void> => {
  const until = performance.now() + MOST_MS;
  for (;;) {
    const heads = await pendingHeads(context.prisma, BATCH);
    // One after the other within a chain: each begins where the one before it was verified.
    for (const head of heads.sort((a, b) => a.seq - b.seq)) {
      await settle(context, head, await judge(context, head));
      if (performance.now() > until) return;
    }
    if (heads.length < BATCH) return;
  }
};
