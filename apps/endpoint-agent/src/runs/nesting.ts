/** Runs inside runs: within the policy, the mounts and the numbers of the parent, and gone with it. */
import { enclose } from '@cordon/policy/enclosure.ts';
import type { EffectivePolicy } from '@cordon/policy/effective.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { createBucket } from '../bucket.ts';
import { identityOf } from '../launch/preflight.ts';
import { effectiveFor, type PolicyFor } from './decide.ts';
import { requireNeeds, underManifest } from './manifest.ts';
import type { LiveRun, RunTable } from './run-table.ts';
import { widerAt } from './wider.ts';

export const MAX_DEPTH = 8;
/** Below one run that nobody inside started, at a time. */
export const MAX_BELOW = 64;

/** What decides about a run: who and what, where, and inside which other run. */
export type Asked = Pick<LiveRun, 'subject' | 'manifest' | 'cwd' | 'account' | 'parent'>;

/** As below, whether or not manifests get what they require. @param policyFor which of the policies count. @throws CordonError `launch.no-bundle` */
export const enclosedOf = (state: VerifiedState | undefined, asked: Asked, policyFor: PolicyFor = effectiveFor): EffectivePolicy => {
  const { subject, manifest, cwd, account, parent } = asked;
  const own = underManifest(policyFor(state, subject, cwd, account), manifest, cwd, account);
  return parent === undefined ? own : enclose(own, enclosedOf(state, parent, policyFor));
};

/**
 * What a run may do under this state: by its own policies and manifest, and its parent's, and so on upwards.
 * @throws CordonError `launch.no-bundle`, `launch.manifest-agent`, `launch.need-unmet`
 */
export const effectiveOf = (state: VerifiedState | undefined, asked: Asked): EffectivePolicy => {
  if (asked.parent !== undefined) effectiveOf(state, asked.parent);
  const effective = enclosedOf(state, asked);
  requireNeeds(effective, asked.manifest, asked.cwd, asked.account);
  return effective;
};

const refuse = (place: string, why: string): never => {
  throw new CordonError('launch.enclosure', `${place} ${why}`, { place });
};

/** Whether the parent sees something at this place, and the same file or folder; its own /tmp, for one, lies where the host has another. */
export const requireSeen = (parent: LiveRun, place: string): void => {
  const seen = identityOf(`/proc/${parent.run.attestation.pid}/root${place}`);
  if (seen === undefined || seen !== identityOf(place))
    refuse(place, 'is something else for the run that asks than for a run of its own: name a place that both have');
};

/** @throws CordonError `launch.enclosure` when the parent was not truly given what the child would get */
export const requireWithin = ({ request: { filesystem } }: LaunchPlan, parent: LiveRun): void => {
  const wider = widerAt(filesystem, parent.filesystem);
  if (wider !== undefined) refuse(wider, 'is more than the run that asks was given when it started');
  for (const place of [...filesystem.readonlyPaths, ...filesystem.readwritePaths]) requireSeen(parent, place);
};

const lineOf = (run: LiveRun): LiveRun[] => [run, ...(run.parent === undefined ? [] : lineOf(run.parent))];
/** The run of this line that nobody inside started. */
export const topOf = (run: LiveRun): LiveRun => (run.parent === undefined ? run : topOf(run.parent));
export const depthOf = (run: LiveRun): number => lineOf(run).length;

export interface Nesting {
  /** Takes a place for a run inside this one. @returns what gives it back. @throws CordonError `run.too-deep`, `run.too-many`, `run.parent-ended` */
  enter(parent: LiveRun): () => void;
}

/** Below one such run, in time: each leaves two events, for which there is always room. */
const RATE = { burst: 600, perMinute: 120 };

export const createNesting = (runs: Pick<RunTable, 'all'>, clock: () => number): Nesting => {
  const rates = new WeakMap<LiveRun, () => boolean>();
  const below = new Map<LiveRun, number>();
  return {
    enter: (parent) => {
      if (!runs.all().includes(parent)) throw new CordonError('run.parent-ended', 'the run that asked has ended');
      if (depthOf(parent) >= MAX_DEPTH) throw new CordonError('run.too-deep', `runs nest ${MAX_DEPTH} deep and no deeper`);
      const top = topOf(parent);
      const may = rates.get(top) ?? createBucket(RATE, clock);
      rates.set(top, may);
      if (!may())
        throw new CordonError('run.too-many', `more than ${RATE.perMinute} runs a minute were started inside this one`, {
          retryable: true,
        });
      const before = below.get(top) ?? 0;
      if (before >= MAX_BELOW)
        throw new CordonError('run.too-many', `there are ${MAX_BELOW} runs inside this one already`, { retryable: true });
      below.set(top, before + 1);
      return () => {
        const left = (below.get(top) ?? 1) - 1;
        if (left === 0) below.delete(top);
        else below.set(top, left);
      };
    },
  };
};
