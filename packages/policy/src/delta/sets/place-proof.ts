/**
 * Whether every place that one set opens is open in the other too, whatever the path variables stand for. A proof or nothing: what depends on where a home or
 * workspace lies is not proven. An access is open where an allow covers it, no deny does and each limit permits it. So it is enough that the second set keeps
 * every deny, and that each part that its limits leave of its allows lies in an allow of the first, and in what each limit permits that the second loosens.
 */
import { indexPaths, type Access } from '../../decide/paths.ts';
import type { EffectivePolicy, PathLimit, PathRule, PathVariables, Subject } from '../../effective.ts';
import { isWithin } from '../../match/path.ts';
import { aboutWorkspaces, mentionsWorkspaces, speaksOfWorkspaces, type Resolved } from './places.ts';
import type { PolicySet } from './subjects.ts';

const binding = (limits: readonly PathLimit[], access: Access): readonly PathLimit[] =>
  limits.filter((limit) => limit.access === 'read' || access === 'write');

type Inside = (inner: string, outer: string) => boolean;
const insideOn =
  ({ os }: Subject): Inside =>
  (inner, outer) =>
    isWithin(inner, outer, os);

/** Whether whatever one of `limits` permits lies in what `limit` permits. */
const isImplied = (limit: PathLimit, limits: readonly PathLimit[], inside: Inside): boolean =>
  limits.some(({ paths }) => paths.every((path) => limit.paths.some((place) => inside(path, place))));

/** What the limits leave of a place, or more than that where it depends on variables. */
const clip = (path: string, limits: readonly PathLimit[], inside: Inside): readonly string[] =>
  limits.reduce<readonly string[]>(
    (parts, { paths }) =>
      parts.flatMap((part) =>
        paths.every((place) => inside(place, part)) && !paths.some((place) => inside(part, place)) ? paths : [part],
      ),
    [path],
  );

const narrowsAt = (access: Access, a: EffectivePolicy, b: EffectivePolicy, inside: Inside): boolean => {
  const [before, after] = [indexPaths(a), indexPaths(b)];
  const bites = (rule: PathRule): boolean => rule.effect === 'deny' && (rule.access === 'access' || access === 'write');
  const grants = (rule: PathRule): boolean => rule.effect === 'allow' && (rule.access === 'write' || access === 'read');
  if (a.paths.some((rule) => bites(rule) && after.judged(rule.path, access).denies.length === 0)) return false;
  const limits = binding(b.pathLimits, access);
  const loosened = new Set(
    binding(a.pathLimits, access)
      .filter((limit) => !isImplied(limit, limits, inside))
      .map(({ origin }) => origin),
  );
  return b.paths.filter(grants).every(({ path, origin }) =>
    (origin.source === 'builtin' ? [path] : clip(path, limits, inside)).every((part) => {
      if (after.judged(part, access).denies.length > 0) return true;
      const { allows, brokenLimits } = before.judged(part, access);
      return allows.length > 0 && !brokenLimits.some((limit) => loosened.has(limit));
    }),
  );
};

/** Whether a working directory that `b` permits as a workspace is permitted by `a`. What is built in is the same for both. */
const workspacesNarrow = (a: EffectivePolicy, b: EffectivePolicy, inside: Inside): boolean => {
  const denied = (effective: EffectivePolicy): readonly PathRule[] =>
    effective.paths.filter(({ effect, origin }) => effect === 'deny' && origin.source !== 'builtin');
  const kept = denied(b);
  return (
    denied(a).every(({ path }) => kept.some((deny) => inside(path, deny.path))) &&
    a.pathLimits.every((limit) => isImplied(limit, b.pathLimits, inside))
  );
};

/** @param variables unlike anything that the sets name */
const permitsNarrow = (a: PolicySet, b: PolicySet, subject: Subject, variables: PathVariables): boolean =>
  !mentionsWorkspaces(a) ||
  (speaksOfWorkspaces(a) &&
    speaksOfWorkspaces(b) &&
    workspacesNarrow(aboutWorkspaces(a, subject, variables), aboutWorkspaces(b, subject, variables), insideOn(subject)));

/** @param a before; @param b after; each with what results from it as if every workspace were permitted, with variables unlike anything that it names */
export const placesNarrow = (a: Resolved, b: Resolved): boolean => {
  const { subject } = b.effective;
  const inside = insideOn(subject);
  return (
    permitsNarrow(a.set, b.set, subject, b.variables) &&
    narrowsAt('read', a.effective, b.effective, inside) &&
    narrowsAt('write', a.effective, b.effective, inside)
  );
};
