/**
 * A minimal policy from what was seen: exact hosts and paths, or patterns and folders where many were used. Nothing that few devices did is in it, nothing
 * that is never granted, and it says what it does not know. A proposal is for people to review; it enforces nothing by itself.
 */
import type { RecordedAccess } from '../simulate/recorded.ts';
import { readAttempts, type Attempts } from './attempts.ts';
import { proposeFiles } from './files.ts';
import { proposeHosts } from './hosts.ts';
import { unfit } from './place.ts';
import type { Coverage, LearnedRule, LearnOptions, Proposal, WithheldReason } from './proposal.ts';
import { documentOf, needed, replay, type Candidate } from './replay.ts';
import { together, type Seen } from './tally.ts';

/** As much as one policy may hold, with room for people to add to it. */
const MOST_RULES: Readonly<Record<LearnedRule['section'], number>> = {
  'network.hosts': 1900,
  'filesystem.read': 900,
  'filesystem.write': 900,
};
const MOST_BYTES = 200_000;

const says = ({ devices, network, files }: Attempts['coverage']): string => {
  const of = (what: string, { attempts, devices: some }: Coverage): string => {
    if (some === 0) return `${what}: not recorded, so nothing of it is in here`;
    const rest = some < devices ? '; what the others use may be missing' : '';
    return `${what}: ${attempts} attempts recorded on ${some} of ${devices} devices${rest}`;
  };
  return `Learned. ${of('Network', network)}. ${of('Files', files)}.`;
};

const textOf = ({ rule }: Candidate): string => (typeof rule === 'string' ? rule : JSON.stringify(rule));

/** Different for different candidates. */
const keyOf = (candidate: Candidate): string => `${candidate.section} ${textOf(candidate)}`;

/** Weaker support first; of equals the wider rule, so that the narrower stays. */
const weakestFirst = (candidates: readonly Candidate[], support: readonly Seen[]): readonly number[] =>
  candidates
    .map((candidate, i) => ({ i, key: keyOf(candidate), devices: support[i]?.devices.size ?? 0, count: support[i]?.count ?? 0 }))
    .sort((a, b) => a.devices - b.devices || a.count - b.count || a.key.length - b.key.length || (a.key < b.key ? -1 : 1))
    .map(({ i }) => i);

/** The best supported, as many as a policy holds. */
const best = (candidates: readonly Candidate[], strongestFirst: readonly number[]): ReadonlySet<number> => {
  const room = { ...MOST_RULES };
  let bytes = MOST_BYTES;
  const fit = strongestFirst.filter((i) => {
    const candidate = candidates[i];
    if (candidate === undefined || (room[candidate.section] -= 1) < 0) return false;
    return (bytes -= Buffer.byteLength(textOf(candidate)) + 8) >= 0;
  });
  return new Set(fit);
};

const proposed = (
  attempts: Attempts,
  options: LearnOptions,
): { readonly candidates: readonly Candidate[]; readonly withheld: ReadonlyMap<Seen, WithheldReason> } => {
  const hosts = proposeHosts(attempts.network, options);
  const places = proposeFiles(attempts.files, { ...options, unfit: (place, length) => unfit(place, length, attempts) });
  return {
    candidates: [
      ...hosts.entries.map((rule): Candidate => ({ section: 'network.hosts', rule })),
      ...places.read.map((rule): Candidate => ({ section: 'filesystem.read', rule })),
      ...places.write.map((rule): Candidate => ({ section: 'filesystem.write', rule })),
    ].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
    withheld: new Map([
      ...hosts.tooFew.map((attempt): [Seen, WithheldReason] => [attempt, 'too-few-devices']),
      ...places.withheld.map(({ attempt, reason }): [Seen, WithheldReason] => [attempt, reason]),
    ]),
  };
};

/** Deterministic: the same attempts give the same proposal, in whatever order they come; of more different ones than there is room for, the first count. */
export const learn = (events: Iterable<RecordedAccess>, given: LearnOptions): Proposal => {
  const minDevices = Math.max(1, given.minDevices);
  const options: LearnOptions = {
    ...given,
    minDevices,
    minSiblings: Math.max(2, given.minSiblings),
    minSubdomains: Math.max(2, given.minSubdomains),
  };
  const attempts = readAttempts(events, options);
  const { candidates, withheld } = proposed(attempts, options);
  const systems = [...attempts.systems].sort();
  const about = { agents: options.agents, systems, description: says(attempts.coverage) };
  const replayed = replay(documentOf(options.name, about, candidates), candidates, attempts, systems[0] ?? 'linux');

  const allowing = Map.groupBy(
    replayed.flatMap(({ attempt, by }) => by.map((i) => ({ i, attempt }))),
    ({ i }) => i,
  );
  const support = candidates.map((_, i) => together((allowing.get(i) ?? []).map(({ attempt }) => attempt)));
  const strong = weakestFirst(candidates, support).filter((i) => (support[i]?.devices.size ?? 0) >= minDevices);
  const room = best(candidates, strong.toReversed());
  const wanted = replayed
    .filter(({ attempt }) => !withheld.has(attempt))
    .map(({ by }) => by.filter((i) => room.has(i)))
    .filter((by) => by.length > 0);
  const kept = needed(
    strong.filter((i) => room.has(i)),
    wanted,
  );
  const reasons = new Map(attempts.withheld);
  for (const { attempt, by } of replayed) {
    if (by.some((i) => kept.has(i))) continue;
    const reason =
      withheld.get(attempt) ?? (by.length === 0 ? 'not-expressible' : by.some((i) => strong.includes(i)) ? 'too-many' : 'too-few-devices');
    reasons.set(reason, (reasons.get(reason) ?? 0) + attempt.count);
  }
  const rules = candidates.flatMap((candidate, i): LearnedRule[] => {
    const { count = 0, devices } = support[i] ?? {};
    return kept.has(i) ? [{ ...candidate, support: count, devices: devices?.size ?? 0 }] : [];
  });
  return {
    document: documentOf(options.name, about, rules),
    rules,
    coverage: { ...attempts.coverage, says: says(attempts.coverage) },
    withheld: [...reasons].map(([reason, count]) => ({ reason, count })).sort((a, b) => (a.reason < b.reason ? -1 : 1)),
  };
};
