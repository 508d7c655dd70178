/** One difference of power between two effective policies. Types and the order in which differences are told. */
import type { RuleOrigin } from '../effective.ts';

/** Kinds of power, the most telling first: the order of every delta. */
export const CATEGORIES = [
  'launch',
  'filesystem.write',
  'filesystem.credentials',
  'filesystem.read',
  'workspace',
  'network.host',
  'network.address',
  'network.ingress',
  'network.host-loopback',
  'ui.input-injection',
  'ui.clipboard',
  'ui.windows',
  'environment',
  'identity',
  'isolation',
  'required',
  'resources',
  'expiry',
  'grace',
  'uncontained',
  'privacy',
] as const;
export type Category = (typeof CATEGORIES)[number];

/** What changed so that the power did. The first five are of what is gained, the others of what is lost; a statement can be both. */
export type Cause =
  | 'launch-permitted'
  | 'allow-added'
  | 'deny-dropped'
  | 'limit-loosened'
  | 'launch-refused'
  | 'allow-dropped'
  | 'deny-added'
  | 'limit-tightened'
  | 'statement';

export interface DeltaEntry {
  readonly category: Category;
  /** A path, `host:ports`, a network or range, or the name of a right, variable, resource or control. */
  readonly target: string;
  readonly cause: Cause;
  /** The reason now, and the one before. */
  readonly detail: string;
  /** The rule that makes the difference: the added allow, the dropped deny, the loosened limit. */
  readonly by?: RuleOrigin;
}

export interface Delta {
  readonly gained: readonly DeltaEntry[];
  readonly lost: readonly DeltaEntry[];
}

/** Power that one side has and the other has not, before it is told as gained or lost. */
export interface Gain {
  readonly category: Category;
  readonly target: string;
  /** What the side with more power can do; empty where the reasons say it. */
  readonly what: string;
  readonly cause: 'launch' | 'allow' | 'deny' | 'limit' | 'statement';
  readonly by: RuleOrigin | undefined;
  /** Why the one side has it, and why the other has not. */
  readonly more: string;
  readonly less: string;
}

const GAINED = {
  launch: 'launch-permitted',
  allow: 'allow-added',
  deny: 'deny-dropped',
  limit: 'limit-loosened',
  statement: 'statement',
} as const;
const LOST = {
  launch: 'launch-refused',
  allow: 'allow-dropped',
  deny: 'deny-added',
  limit: 'limit-tightened',
  statement: 'statement',
} as const;

/** @param direction `gained`: the later side has it; `lost`: the earlier side had it */
export const entryOf = ({ category, target, what, cause, by, more, less }: Gain, direction: 'gained' | 'lost'): DeltaEntry => {
  const [now, before] = direction === 'gained' ? [more, less] : [less, more];
  return {
    category,
    target,
    cause: (direction === 'gained' ? GAINED : LOST)[cause],
    detail: `${what === '' ? '' : `${what}: `}${now}; before: ${before}`,
    ...(by !== undefined && { by }),
  };
};

/** By category, then target, then detail: the same delta is told the same way. */
export const inOrder = (entries: readonly DeltaEntry[]): readonly DeltaEntry[] => {
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return entries.toSorted(
    (a, b) => CATEGORIES.indexOf(a.category) - CATEGORIES.indexOf(b.category) || compare(a.target, b.target) || compare(a.detail, b.detail),
  );
};
