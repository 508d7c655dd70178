/** Cosignatures as they reach the copy of published state in memory: those posted here, and those that other replicas took. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import { openCosignature } from '@cordon/policy/trust/witness.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { notFound, Refusal } from '../errors.ts';
import { findCheckpoint, insertCosignature, readCosignatures } from './store.ts';

/** Brings what is stored of the newest checkpoint's cosignatures into memory. */
export const takeCosignatures = async ({ prisma, published }: Pick<Context, 'prisma' | 'published'>): Promise<void> => {
  const digest = published.checkpoint?.digest;
  if (digest === undefined || published.demanded === 0) return;
  for (const { kid, jws } of await readCosignatures(prisma, digest)) await published.cosign(digest, kid, jws);
};

/**
 * Takes one cosignature of a checkpoint. It proves itself: whoever brings it.
 * @returns how many the checkpoint has now, if it is the newest
 * @throws Refusal `checkpoint.not-found`, `witness.not-demanded`, `witness.refused`
 */
export const takeCosignature = async (context: Context, digest: string, cosignature: string): Promise<number> => {
  const { prisma, organisation, published, clock } = context;
  const found = await findCheckpoint(prisma, digest);
  if (found === null) throw notFound('checkpoint', digest);
  const root = await verifyRootChain(organisation.roots, organisation.fingerprint, clock());
  if (root.document.roles.witness === undefined)
    throw new Refusal(409, 'witness.not-demanded', "the organisation's root names no witnesses; cordonctl keys rotate witness does");
  const { org, epoch, serial } = JSON.parse(Buffer.from(found.jws.split('.')[1] ?? '', 'base64url').toString('utf8')) as CheckpointPayload;
  const kid = await openCosignature(cosignature, digest, { org, epoch, serial }, root.keys('witness')).catch((cause: unknown) => {
    if (!(cause instanceof CordonError)) throw cause;
    throw new Refusal(422, 'witness.refused', `the cosignature was refused: ${cause.message} (${cause.code})`, { cause });
  });
  await prisma.$transaction((tx) => insertCosignature(tx, { checkpointId: found.id, digest, kid, jws: cosignature, at: clock() }));
  await published.cosign(digest, kid, cosignature);
  return published.cosignatures.size;
};

/** What health says while devices wait for witnesses; undefined while they do not. */
export const waitingFor = ({ published }: Pick<Context, 'published'>): string | undefined =>
  published.isWitnessed || published.checkpoint === undefined
    ? undefined
    : `checkpoint ${published.checkpoint.epoch}/${published.checkpoint.serial} is not sent to devices: ${published.cosignatures.size} of ${published.demanded} witnesses have cosigned it`;

/** When it takes long: said in the log and kept in the audit log, since somebody must look. */
export const tellLate = async (context: Context): Promise<void> => {
  const { prisma, published, clock, log } = context;
  const waiting = waitingFor(context);
  if (waiting === undefined) return;
  log.error({ witnesses: [...published.cosignatures.keys()], demanded: published.demanded }, waiting);
  const { epoch = 0, serial = 0 } = published.checkpoint ?? {};
  const detail = { epoch, serial, demanded: published.demanded, cosigned: [...published.cosignatures.keys()] };
  await prisma.$transaction((tx) =>
    appendAudit(tx, { actor: 'system', action: 'witness.late', subject: published.org, detail, at: clock() }),
  );
};
