/**
 * Places that one side can reach and the other cannot. What is decided at a path depends only on which of the named places cover it, so asking at every
 * place that either side names is asking everywhere.
 */
import { judge } from '../decide/judge.ts';
import type { Access } from '../decide/paths.ts';
import type { RuleOrigin } from '../effective.ts';
import { folded, lookUpwards } from '../match/path.ts';
import { isCredentialLike } from './credential-like.ts';
import type { Category, Gain } from './entry.ts';
import { difference, type Side } from './side.ts';

/** Every place that a rule or limit names, by the form in which the system compares it. */
const placesOf = (sides: readonly Side[], counts: (origin: RuleOrigin) => boolean = () => true): ReadonlyMap<string, string> => {
  const places = new Map<string, string>();
  for (const { effective } of sides) {
    const { os } = effective.subject;
    for (const { path, origin } of effective.paths) if (counts(origin)) places.set(folded(path, os), path);
    for (const { paths } of effective.pathLimits) for (const path of paths) places.set(folded(path, os), path);
  }
  return places;
};

/** Once at its most general place: what lies below it in a place that is gained too is not told again. */
export const pathGains = (more: Side, less: Side): readonly Gain[] => {
  if (!more.starts) return [];
  const { os } = more.effective.subject;
  const places = placesOf([more, less]);
  const isGained = (path: string, access: Access): boolean => {
    if (!more.decider.paths.allows(path, access)) return false;
    if (less.starts) return !less.decider.paths.allows(path, access);
    // What every run gets comes with the launch.
    return more.decider.paths.judged(path, access).allows.some(({ source }) => source !== 'builtin');
  };
  const gained = (access: Access): ReadonlySet<string> =>
    new Set([...places].filter(([, path]) => isGained(path, access)).map(([place]) => place));
  const reading = gained('read');
  const writing = gained('write');
  const named = placesOf([more, less], ({ source }) => source !== 'builtin');
  const telling = new Set([...reading].filter((place) => named.has(place) && isCredentialLike(place)));
  /** Gained here and not at the nearest named place above. */
  const begins = (own: string, gained: ReadonlySet<string>): boolean => {
    if (!gained.has(own)) return false;
    const above = lookUpwards(own, os, (place) => (place !== own && places.has(place) ? place : undefined));
    return above === undefined || !gained.has(above);
  };
  return [...places].flatMap(([place, path]) => {
    const gain = (category: Category, access: Access, what: string): Gain => ({
      category,
      target: path,
      what,
      ...difference(judge(more.decider.paths.judged(path, access)), judge(less.decider.paths.judged(path, access)), less),
    });
    const write = begins(place, writing);
    const read = begins(place, reading);
    return [
      ...(write ? [gain('filesystem.write', 'write', read ? 'readable and writable' : 'writable')] : []),
      ...(read && !write && !telling.has(place) ? [gain('filesystem.read', 'read', 'readable')] : []),
      ...(begins(place, telling) ? [gain('filesystem.credentials', 'read', 'readable, and by its name it holds credentials')] : []),
    ];
  });
};
