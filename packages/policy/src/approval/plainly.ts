/**
 * What can be seen to take away only by looking at it: the same policies, in which allows were taken out and denies added and nothing else is other. It holds
 * whatever else a device has, and costs a hundredth of a proof.
 */
import { canonicalJson } from '../trust/canonical-json.ts';
import type { PolicyDocument } from '../document/schema.ts';

/** Whether everything that `part` says stands in `whole` too: entries of lists one by one, all else as it is. */
const standsIn = (part: unknown, whole: unknown): boolean => {
  if (part === undefined) return true;
  if (Array.isArray(part)) {
    if (!Array.isArray(whole)) return false;
    const entries = new Set(whole.map(canonicalJson));
    return part.every((entry) => entries.has(canonicalJson(entry)));
  }
  if (typeof part === 'object' && part !== null)
    return (
      typeof whole === 'object' &&
      whole !== null &&
      !Array.isArray(whole) &&
      Object.entries(part).every(([name, member]) => standsIn(member, Object.hasOwn(whole, name) ? Reflect.get(whole, name) : null))
    );
  return part === whole;
};

/** Paths that mean something on every system: what means nothing on one keeps everything from starting there, and to take it out would not. */
const MEANS_SOMETHING = /^(?:\$\{[a-z]+\}|[A-Za-z]:)?(?:[\\/](?:[^\\/:\p{Cc}]*[^\\/:\p{Cc}. ])?)*$/u;

const pathsOf = ({ spec: { allow, deny } }: PolicyDocument): readonly string[] => [
  ...(allow?.filesystem?.read ?? []),
  ...(allow?.filesystem?.write ?? []),
  ...(deny?.filesystem?.access ?? []),
  ...(deny?.filesystem?.write ?? []),
  ...(deny?.workspaces ?? []),
];

/** @returns true only when no device can gain by it; false says nothing */
export const plainlyNarrows = (before: PolicyDocument, after: PolicyDocument): boolean => {
  const { allow: allowedBefore, deny: deniedBefore, ...restBefore } = before.spec;
  const { allow: allowedAfter, deny: deniedAfter, ...restAfter } = after.spec;
  return (
    [...pathsOf(before), ...pathsOf(after)].every((path) => MEANS_SOMETHING.test(path)) &&
    canonicalJson(restBefore) === canonicalJson(restAfter) &&
    standsIn(allowedAfter, allowedBefore ?? null) &&
    standsIn(deniedBefore, deniedAfter ?? null)
  );
};
