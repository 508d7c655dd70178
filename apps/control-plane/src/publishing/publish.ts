/** Publishing a change set, renewing the checkpoint, and placing devices whose groups changed. */
import type { Context, Tx } from '../context.ts';
import { appendAudit } from '../audit/audit.ts';
import { newId } from '../ids.ts';
import { coalesce } from './coalesce.ts';
import { placer, placesAlike, type Snapshot } from './cohorts.ts';
import type { Published } from './published.ts';
import { readDeviceGroups, readDraft } from './store.ts';
import { transition, type Decision } from './transition.ts';

/** Renewed well before devices call their state stale (the checkpoint's lifetime is 15 minutes). */
export const RENEW_EVERY_MS = 5 * 60_000;

export interface PublishResult {
  readonly changeSet: string;
  readonly serial: number;
  /** How many cohorts get another bundle, and how many devices are in them. */
  readonly cohorts: number;
  readonly devices: number;
}

/** Where every device, or those named, belong under a snapshot. */
const decidePlaces = async (
  tx: Tx,
  snapshot: Snapshot,
  only: readonly string[] | undefined,
): Promise<Pick<Decision, 'placement' | 'wanted'>> => {
  const groups = [...new Set(snapshot.assignments.filter(({ everyone }) => !everyone).map(({ groupId }) => groupId))];
  const place = placer(snapshot.assignments);
  const placement = new Map<string, string | undefined>();
  const wanted = new Map<string, readonly string[]>();
  for (const device of await readDeviceGroups(tx, groups, only)) {
    if (device.revoked) {
      placement.set(device.id, undefined);
      continue;
    }
    const { key, assignments } = place(device.groups);
    placement.set(device.id, key);
    wanted.set(key, assignments);
  }
  return { placement, wanted };
};

const livingCohorts = (published: Published): Set<string> => new Set([...published.devices.values()].flatMap(({ cohort }) => cohort ?? []));

/** When only policies changed, nobody moves: the cohorts that live are known, and no device is looked at. */
const decidePublish = async (tx: Tx, published: Published, draft: Snapshot): Promise<Decision> => {
  const living = [...livingCohorts(published)].map((id) => published.cohorts.get(id));
  const wanted = new Map(
    living.flatMap((cohort) => (cohort?.assignments === undefined ? [] : [[cohort.key, cohort.assignments] as const])),
  );
  if (placesAlike(draft, published.snapshot) && wanted.size === living.length)
    return { snapshot: draft, wanted, placement: new Map(), always: 'serial' };
  return { snapshot: draft, always: 'serial', ...(await decidePlaces(tx, draft, undefined)) };
};

/**
 * Puts the draft in force: newest revisions and all assignments, as one immutable change set with one serial, in one transaction.
 * Taking the last assignment away never means "everything allowed": the bundle is empty, and nothing launches.
 * @throws CordonError publish.*, signer.*
 */
export const publish = async (
  context: Context,
  { title, actor }: { readonly title: string; readonly actor: string },
): Promise<PublishResult> => {
  const changeSet = newId('chg');
  let devices = 0;
  const { serial, changed } = await transition(
    {
      decide: async (tx) => decidePublish(tx, context.published, await readDraft(tx)),
      record: async (tx, effect, { snapshot: { policies, assignments } }) => {
        const cohorts = new Set(effect.changed.map(({ id }) => id));
        const moved = new Map(effect.moves.map(({ device, cohort }) => [device, cohort]));
        for (const [device, place] of context.published.devices)
          if (cohorts.has((moved.has(device) ? moved.get(device) : place.cohort) ?? '')) devices += 1;
        const at = context.clock();
        const content = {
          policies: policies.map((policy) => ({ ...policy })),
          assignments: assignments.map((assignment) => ({ ...assignment })),
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
        await appendAudit(tx, {
          actor,
          action: 'changes.publish',
          subject: changeSet,
          detail: { title, serial: effect.serial, cohorts: cohorts.size, devices },
          at,
        });
      },
    },
    context,
  );
  return { changeSet, serial, cohorts: changed.length, devices };
};

/** Places devices by the *published* change set: enrollment, a group's members and revocation change who gets what, never what is published. */
export const placeDevices = async (context: Context, devices: readonly string[]): Promise<void> => {
  await transition(
    {
      decide: async (tx) => ({
        snapshot: context.published.snapshot,
        always: undefined,
        ...(await decidePlaces(tx, context.published.snapshot, devices)),
      }),
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

/**
 * Signs a new checkpoint over the same state when the newest is older than `minAgeMs`, and repairs what a crash left between a change of members
 * and their placement. With neither to do it looks at no device.
 */
export const renewCheckpoint = async (context: Context, minAgeMs: number): Promise<void> => {
  const { published, clock } = context;
  let full = false;
  await transition(
    {
      decide: async (tx) => {
        const { snapshot, checkpoint, misplaced } = published;
        const isOld = checkpoint === undefined || clock().getTime() - checkpoint.issuedAt.getTime() >= minAgeMs;
        full = isOld || misplaced;
        if (!full) return { snapshot, always: undefined, placement: new Map(), wanted: new Map() };
        return { snapshot, always: isOld ? 'checkpoint' : undefined, ...(await decidePlaces(tx, snapshot, undefined)) };
      },
    },
    context,
  );
  if (full) published.misplaced = false;
};
