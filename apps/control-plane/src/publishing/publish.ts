/** Publishing a change set, renewing the checkpoint, and placing devices whose groups changed. */
import { CordonError } from '@cordon/policy/errors.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { Prisma } from '../db/generated/client.ts';
import { conflict } from '../errors.ts';
import { newId } from '../ids.ts';
import { closeProposals, lostProposal, readApproved } from '../proposals/proposals.ts';
import { coalesce } from './coalesce.ts';
import { sameSnapshot } from './cohorts.ts';
import { decidePlaces } from './places.ts';
import { transition } from './transition.ts';
import { decidePublish, type Source } from './what-to-publish.ts';

/** Renewed well before devices call their state stale (the checkpoint's lifetime is 15 minutes). */
export const RENEW_EVERY_MS = 5 * 60_000;

export interface PublishResult {
  readonly changeSet: string;
  readonly serial: number;
  /** How many cohorts get another bundle, and how many devices are in them. */
  readonly cohorts: number;
  readonly devices: number;
}

interface Wish extends Source {
  readonly title: string;
  readonly actor: string;
}

/** One change set with one serial, in one transaction. @param serial under which the signer walked a lost proposal */
const putInForce = async (context: Context, wish: Wish, quick: boolean, walkedAt?: number): Promise<PublishResult> => {
  const { title, actor } = wish;
  const changeSet = newId('chg');
  const inForce = context.published;
  let devices = 0;
  const { serial, changed } = await transition(
    {
      decide: (tx) => decidePublish(tx, context, wish, quick),
      record: async (tx, effect, { snapshot, proposal }) => {
        const { policies, assignments, exceptions } = snapshot;
        const cohorts = new Set(effect.changed.map(({ id }) => id));
        const moved = new Map(effect.moves.map(({ device, cohort }) => [device, cohort]));
        for (const [device, place] of inForce.devices)
          if (cohorts.has((moved.has(device) ? moved.get(device) : place.cohort) ?? '')) devices += 1;
        const at = context.clock();
        const content = {
          policies: policies.map((policy) => ({ ...policy })),
          assignments: assignments.map((assignment) => ({ ...assignment })),
          exceptions: exceptions.map((exception) => JSON.parse(JSON.stringify(exception)) as Prisma.InputJsonObject),
          cohorts: [...cohorts],
        };
        await tx.changeSet.create({
          data: {
            id: changeSet,
            title,
            state: 'published',
            serial: effect.serial,
            content,
            createdBy: actor,
            createdAt: at,
            publishedAt: at,
          },
        });
        const changes = proposal !== undefined || !sameSnapshot(snapshot, inForce.snapshot);
        if (changes) await closeProposals(tx, { proposal, serial: walkedAt ?? effect.serial, changeSet, at });
        const detail = {
          title,
          serial: effect.serial,
          cohorts: cohorts.size,
          devices,
          ...(proposal !== undefined && { proposal: proposal.id }),
        };
        await appendAudit(tx, { actor, action: 'changes.publish', subject: changeSet, detail, at });
      },
    },
    context,
  );
  return { changeSet, serial, cohorts: changed.length, devices };
};

const isUnapproved = (error: unknown): boolean => error instanceof CordonError && error.code === 'signer.unapproved';

/** What the signer says of approvals, in the words of who publishes. */
const refusal = (error: unknown): unknown => {
  if (!(error instanceof CordonError)) return error;
  if (error.code === 'signer.unapproved')
    return conflict(
      'publish.approval-required',
      `${error.message}. Nothing was published, and devices keep what they have: propose the draft (POST /proposals), have it approved (cordonctl approve ID --key FILE), and publish it with "proposal": ID`,
    );
  if (error.code === 'approval.from')
    return conflict(
      'proposal.superseded',
      'something else was approved after this was proposed: propose the draft again (POST /proposals)',
    );
  if (error.code === 'approval.expired') return conflict('proposal.expired', error.message);
  return error.code.startsWith('approval.') ? conflict(error.code, error.message) : error;
};

/**
 * Puts the draft in force: newest revisions and all assignments, as one immutable change set with one serial, in one transaction. Or, with a proposal,
 * exactly what people approved; or what an earlier change set had put in force. Without a proposal nothing may loosen beyond what was approved before.
 * Taking the last assignment away never means "everything allowed": the bundle is empty, and nothing launches.
 * @throws Refusal publish.approval-required, proposal.*; CordonError publish.*, signer.*, approval.*
 */
export const publish = async (context: Context, wish: Omit<Wish, 'lost'>): Promise<PublishResult> => {
  await rollForward(context);
  try {
    return await putInForce(context, wish, true).catch((error: unknown) => {
      // Somebody is in other groups than those that were approved: then everybody is looked at.
      if (wish.proposal === undefined || !isUnapproved(error)) throw error;
      return putInForce(context, wish, false);
    });
  } catch (error) {
    throw refusal(error);
  }
};

/** Publishes what the signer has walked and the database has not: it had signed when the transaction failed. */
const rollForward = async (context: Context): Promise<void> => {
  const { prisma, signer, log } = context;
  const head = await signer.head();
  const lost = await prisma.$transaction((tx) => lostProposal(tx, context, head));
  if (lost === undefined) return;
  log.warn({ proposal: lost.id }, 'the signer was ahead of the database: publishing what it has signed for');
  await putInForce(context, { title: lost.title, actor: 'system', lost }, false, head.approved?.serial).catch((error: unknown) => {
    // What is asked for now may work all the same, and a renewal must not hang on it.
    log.error({ err: error, proposal: lost.id }, 'what the signer has signed for could not be published');
  });
};

/** Places devices by the *published* change set: enrollment, a group's members and revocation change who gets what, never what is published. */
export const placeDevices = async (context: Context, devices: readonly string[]): Promise<void> => {
  await transition(
    {
      decide: async (tx) => {
        const { snapshot } = context.published;
        const approved = await readApproved(tx, context);
        const places = await decidePlaces(tx, context, { snapshot, approved, only: devices, asked: 'moving' });
        return { snapshot, proposal: undefined, always: undefined, ...places };
      },
    },
    context,
  );
};

/**
 * To be called after a change of groups, an enrollment or a revocation has committed. Calls that come together are placed together. A failure is logged,
 * not thrown: what was committed stands, and the next renewal places those devices.
 */
export const onMembershipChanged = async (context: Context, devices: readonly string[]): Promise<void> => {
  const { published, log } = context;
  published.placing ??= coalesce((ids) => placeDevices(context, ids));
  await published.placing(devices).catch((error: unknown) => {
    published.misplaced = true;
    log.error({ err: error, devices: devices.length }, 'devices could not be placed; the next renewal tries again');
  });
};

/** @param placing whether devices are put where they belong now; without it all stay where they are */
const renew = async (context: Context, minAgeMs: number, placing: boolean): Promise<void> => {
  const { published, clock } = context;
  let full = false;
  await transition(
    {
      decide: async (tx) => {
        const { snapshot, checkpoint, misplaced } = published;
        const isOld = checkpoint === undefined || clock().getTime() - checkpoint.issuedAt.getTime() >= minAgeMs;
        full = placing && (isOld || misplaced);
        const always = isOld ? 'checkpoint' : undefined;
        if (!full) return { snapshot, proposal: undefined, always, placement: new Map(), wanted: new Map(), claims: new Map() };
        const approved = await readApproved(tx, context);
        const places = await decidePlaces(tx, context, { snapshot, approved, only: undefined, asked: 'moving' });
        return { snapshot, proposal: undefined, always, ...places };
      },
    },
    context,
  );
  if (full) published.misplaced = false;
};

/**
 * Signs a new checkpoint over the same state when the newest is older than `minAgeMs`, and repairs what a crash left between a change of members
 * and their placement. With neither to do it looks at no device. Whatever the signer holds against a change, the fleet must not grow stale by it.
 */
export const renewCheckpoint = async (context: Context, minAgeMs: number): Promise<void> => {
  const { log } = context;
  await rollForward(context);
  try {
    await renew(context, minAgeMs, true);
  } catch (error) {
    if (!isUnapproved(error)) throw error;
    log.error(
      { err: error },
      'devices could not be placed where they belong: the signer refuses; what is in force is renewed without that',
    );
    await renew(context, minAgeMs, false).catch((again: unknown) => {
      if (!isUnapproved(again)) throw again;
      // The signer has signed a publish that took power away, and its transaction failed: what is stored would give it back, and what was to be published is the draft.
      log.warn({ err: again }, 'the signer was ahead of the database: publishing the draft, for which it has signed');
      return putInForce(context, { title: 'Publish the draft that was signed before', actor: 'system' }, false);
    });
  }
};
