/** Paths of an effective policy as an index: a decision looks at the path and its parents, not at every rule. */
import type { EffectivePolicy, PathRule, RuleOrigin } from '../effective.ts';
import { folded, lookUpwards } from '../match/path.ts';
import type { Judged } from './judge.ts';

export type Access = 'read' | 'write';

interface Node {
  readonly rules: PathRule[];
  /** Positions of the limits that permit what lies here. */
  readonly limits: number[];
}

export interface PathIndex {
  /** @param path canonical */
  allows(path: string, access: Access): boolean;
  judged(path: string, access: Access): Judged;
}

/** Whether a deny bites at this access: `access` hides from both, `write` only from writing. */
const bites = (rule: PathRule, access: Access): boolean => rule.effect === 'deny' && (rule.access === 'access' || access === 'write');
const grants = (rule: PathRule, access: Access): boolean => rule.effect === 'allow' && (rule.access === 'write' || access === 'read');

export const indexPaths = ({ subject: { os }, paths, pathLimits }: EffectivePolicy): PathIndex => {
  const nodes = new Map<string, Node>();
  const lengths = new Set<number>();
  const at = (path: string): Node => {
    const key = folded(path, os);
    const known = nodes.get(key);
    if (known !== undefined) return known;
    const node: Node = { rules: [], limits: [] };
    nodes.set(key, node);
    lengths.add(key.length);
    return node;
  };
  for (const rule of paths) at(rule.path).rules.push(rule);
  pathLimits.forEach((limit, i) => {
    for (const path of limit.paths) at(path).limits.push(i);
  });
  const binding: Readonly<Record<Access, readonly number[]>> = {
    read: pathLimits.flatMap((limit, i) => (limit.access === 'read' ? [i] : [])),
    write: pathLimits.map((_, i) => i),
  };
  const covering = (path: string): { readonly rules: readonly PathRule[]; readonly permitted: ReadonlySet<number> } => {
    const rules: PathRule[] = [];
    const permitted = new Set<number>();
    lookUpwards(
      folded(path, os),
      os,
      (place) => {
        const node = nodes.get(place);
        if (node === undefined) return;
        rules.push(...node.rules);
        for (const limit of node.limits) permitted.add(limit);
      },
      lengths,
    );
    return { rules, permitted };
  };
  return {
    allows: (path, access) => {
      let allowed = false;
      let unlimited = false;
      let permitted: Set<number> | undefined;
      const denied = lookUpwards(
        folded(path, os),
        os,
        (place) => {
          const node = nodes.get(place);
          if (node === undefined) return undefined;
          for (const rule of node.rules) {
            if (bites(rule, access)) return true;
            if (!grants(rule, access)) continue;
            allowed = true;
            if (rule.origin.source === 'builtin') unlimited = true;
          }
          for (const limit of node.limits) (permitted ??= new Set()).add(limit);
          return undefined;
        },
        lengths,
      );
      if (denied === true) return false;
      if (!allowed || unlimited) return allowed;
      for (const limit of binding[access]) if (permitted?.has(limit) !== true) return false;
      return true;
    },
    judged: (path, access) => {
      const { rules, permitted } = covering(path);
      const allows = rules.filter((rule) => grants(rule, access)).map(({ origin }) => origin);
      // The system's own folders and the private tmp are no grant that a limit could take away: nothing would start.
      const unlimited = allows.some(({ source }) => source === 'builtin');
      const broken = unlimited
        ? []
        : binding[access].flatMap((i): RuleOrigin[] =>
            permitted.has(i) ? [] : [pathLimits[i]?.origin].filter((origin) => origin !== undefined),
          );
      return {
        target: path,
        denies: rules.filter((rule) => bites(rule, access)).map(({ origin }) => origin),
        brokenLimits: broken,
        allows,
      };
    },
  };
};
