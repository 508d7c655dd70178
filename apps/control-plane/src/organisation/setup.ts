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
import type { SignerClient } from '../signer/contract.ts';
import { makeOrganisation, signerFiles } from '../signer/organisation.ts';
import { offerTrialKeys } from '../signer/trial-approver.ts';
import { forgetLines } from '../gateway/lines.ts';
import { goesOn, installKeys, readCeremony, versionsOf } from './ceremony.ts';
import { insertOrganisation, readOrganisation, updateOrganisation, type StoredOrganisation } from './store.ts';

type Organisation = Context['organisation'];

type Needs = Pick<Context, 'prisma' | 'clock' | 'log'>;

const found = async ({ prisma, clock, log }: Needs, signerFolder: string, ceremony: string | undefined): Promise<void> => {
  const at = clock();
  const made = ceremony === undefined ? await makeOrganisation(signerFolder, newId('org'), at) : await readCeremony(ceremony, at);
  if (ceremony !== undefined) installKeys(ceremony, signerFolder);
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
  if (ceremony === undefined)
    log.warn(
      { folder: signerFolder },
      'made an organisation with throw-away root keys: fine for a trial; a real organisation keeps root and floor keys offline (cordonctl keys init)',
    );
};

/** Roots that a ceremony has added, with the online keys that they name. What is there already changes nothing. @throws CordonError organisation.other, organisation.fork, organisation.floor-older */
const takeOn = async ({ prisma, clock, log }: Needs, stored: StoredOrganisation, signerFolder: string, ceremony: string): Promise<void> => {
  const at = clock();
  const brought = await readCeremony(ceremony, at);
  if (brought.orgId !== stored.orgId)
    throw new CordonError('organisation.other', `${ceremony} is of organisation ${brought.orgId}, and this database of ${stored.orgId}`, {
      place: 'CORDON_ORGANISATION',
    });
  if (!goesOn(stored.roots, brought.roots))
    throw new CordonError(
      'organisation.fork',
      `the roots in ${ceremony} do not go on from those that this organisation has: begin from its newest organisation.json`,
      { place: 'CORDON_ORGANISATION' },
    );
  const [before, after] = [await versionsOf(stored), await versionsOf(brought)];
  if (brought.floor !== stored.floor && after.floor <= before.floor)
    throw new CordonError(
      'organisation.floor-older',
      `the floor in ${ceremony} is version ${after.floor}, and version ${before.floor} is in force: no device takes it; begin from the newest organisation.json`,
      { place: 'CORDON_ORGANISATION' },
    );
  // Another replica may have taken the same roots on already; this one's signer needs the keys all the same.
  installKeys(ceremony, signerFolder);
  if (brought.roots.length === stored.roots.length && brought.floor === stored.floor) return;
  await prisma.$transaction(async (tx) => {
    if (!(await updateOrganisation(tx, brought, stored.roots))) return;
    if (after.epoch > before.epoch) await forgetLines(tx);
    await appendAudit(tx, {
      actor: 'system',
      action: 'organisation.root',
      subject: stored.orgId,
      detail: { from: stored.roots.length, to: brought.roots.length, epoch: after.epoch, floor: after.floor },
      at,
    });
  });
  log.warn({ version: brought.roots.length }, 'took on a new root; devices get it when they connect');
};

/**
 * @param signerFolder where the signer's keys lie, or are made
 * @param ceremony folder that cordonctl keys wrote, if there is one to take in
 * @throws CordonError organisation.*, root.*, floor.*
 */
export const ensureOrganisation = async (needs: Needs, signerFolder: string, ceremony: string | undefined): Promise<Organisation> => {
  const { prisma, clock } = needs;
  const at = clock();
  const before = await prisma.$transaction(readOrganisation);
  if (before === undefined) await found(needs, signerFolder, ceremony);
  else if (ceremony !== undefined) await takeOn(needs, before, signerFolder, ceremony);
  if (!fs.existsSync(signerFiles(signerFolder).keys)) {
    throw new CordonError(
      'organisation.no-signer-keys',
      'the database has an organisation, but the state folder has no signer keys: restore the state folder that belongs to this database',
      { place: signerFolder },
    );
  }
  offerTrialKeys(signerFolder);
  const stored = await prisma.$transaction(readOrganisation);
  if (stored === undefined) throw new CordonError('organisation.missing', 'the organisation was written but cannot be read');
  const fingerprint = rootFingerprint(stored.roots[0] ?? '');
  const root = await verifyRootChain(stored.roots, fingerprint, at);
  await verifyFloor(stored.floor, root);
  return {
    ...stored,
    fingerprint,
    epoch: root.document.epoch,
    policyKeys: new Set(root.keys('policy').keys()),
    witnesses: root.document.roles.witness?.threshold ?? 0,
  };
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

/** Hands the roots to the signer, which pins the first that it is ever given. @throws CordonError organisation.signer-unknown, signer.*, root.* */
export const giveRoots = async ({ roots }: Organisation, signer: Pick<SignerClient, 'roots'>): Promise<void> => {
  await signer.roots(roots).catch((cause: unknown) => {
    if (!(cause instanceof CordonError) || cause.code !== 'root.fingerprint') throw cause;
    throw new CordonError(
      'organisation.signer-unknown',
      'this signer belongs to another organisation: restore the state folder that belongs to this database',
      { cause },
    );
  });
};
