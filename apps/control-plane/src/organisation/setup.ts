/** On first start: the organisation, its keys, and the built-in group. Later: the same organisation, checked as devices will check it. */
import { CordonError } from '@cordon/policy/errors.ts';
import { openCompact } from '@cordon/policy/trust/envelope.ts';
import { verifyFloor } from '@cordon/policy/trust/floor.ts';
import { rootFingerprint, verifyRootChain } from '@cordon/policy/trust/root.ts';
import fs from 'node:fs';
import { appendAudit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { ensureAllDevices } from '../groups/groups.ts';
import { newId } from '../ids.ts';
import { makeOrganisation, signerFiles } from '../signer/organisation.ts';
import { insertOrganisation, readOrganisation } from './store.ts';

type Organisation = Context['organisation'];

/**
 * @param signerFolder where the signer's keys lie, or are made
 * @throws CordonError organisation.no-signer-keys, root.*, floor.*
 */
export const ensureOrganisation = async (
  { prisma, clock, log }: Pick<Context, 'prisma' | 'clock' | 'log'>,
  signerFolder: string,
): Promise<Organisation> => {
  const at = clock();
  if ((await prisma.$transaction(readOrganisation)) === undefined) {
    const made = await makeOrganisation(signerFolder, newId('org'), at);
    await prisma.$transaction(async (tx) => {
      if (!(await insertOrganisation(tx, made, 'Cordon', at))) return;
      await ensureAllDevices(tx);
      await appendAudit(tx, {
        actor: 'system',
        action: 'organisation.create',
        subject: made.orgId,
        detail: { fingerprint: rootFingerprint(made.roots[0] ?? '') },
        at,
      });
    });
    log.warn(
      { folder: signerFolder },
      'made an organisation with throw-away root keys: fine for a trial; a real organisation keeps root and floor keys offline',
    );
  }
  if (!fs.existsSync(signerFiles(signerFolder).keys)) {
    throw new CordonError(
      'organisation.no-signer-keys',
      'the database has an organisation, but the state folder has no signer keys: restore the state folder that belongs to this database',
      { place: signerFolder },
    );
  }
  const stored = await prisma.$transaction(readOrganisation);
  if (stored === undefined) throw new CordonError('organisation.missing', 'the organisation was written but cannot be read');
  const fingerprint = rootFingerprint(stored.roots[0] ?? '');
  await verifyFloor(stored.floor, await verifyRootChain(stored.roots, fingerprint, at));
  return { ...stored, fingerprint };
};

/** What this signer signs must be what the root lets it sign; otherwise no device would take it. @throws CordonError organisation.signer-unknown */
export const checkSigner = async ({ roots, fingerprint }: Organisation, checkpoint: string, now: Date): Promise<void> => {
  const root = await verifyRootChain(roots, fingerprint, now);
  await openCompact(checkpoint, { typ: 'cordon-checkpoint+jws', keys: root.keys('checkpoint'), maxBytes: 8192 }).catch((cause: unknown) => {
    throw new CordonError(
      'organisation.signer-unknown',
      "the organisation's root does not name this signer's key: restore the state folder that belongs to this database",
      { cause },
    );
  });
};
