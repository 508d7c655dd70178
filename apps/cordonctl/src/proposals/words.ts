/** A reviewed proposal in words: what devices gain and lose, and who they are. Pure; what comes from elsewhere is made visible by the caller. */
import type { TargetGroup } from '@cordon/policy/approval/approval.ts';
import type { Audience, TargetSide } from '@cordon/policy/approval/audiences.ts';
import type { Consequence } from '@cordon/policy/approval/consequences.ts';
import type { DeltaEntry } from '@cordon/policy/delta/entry.ts';
import { exceptionLines } from './exception-words.ts';
import type { Review } from './review.ts';
import type { ProposalDetail, ProposalSummary } from './wire.ts';

/** Kinds of devices, members and differences that are told one by one. */
const MOST = { audiences: 8, members: 10, entries: 200 } as const;

type NameOf = (group: string) => string;

const some = (items: readonly string[], most: number): string =>
  items.length <= most ? items.join(', ') : `${items.slice(0, most).join(', ')} and ${items.length - most} more`;

const sameItems = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((item) => b.includes(item));

export const audienceWords = ({ listed, open, devices }: Audience, nameOf: NameOf): string => {
  const { before, after } = listed;
  const lists = [
    ...(after.length > 0 ? [`that ${after.map(nameOf).join(' and ')} lists`] : []),
    ...(sameItems(before, after)
      ? []
      : [before.length === 0 ? 'that nothing listed before' : `that ${before.map(nameOf).join(' and ')} listed before`]),
  ];
  const put = open.length > 0 ? [`that are put into ${open.map(nameOf).join(' and ')}`] : [];
  const which = [...lists, ...put];
  const who = devices === undefined ? 'any devices' : devices === 1 ? '1 device' : `${devices} devices`;
  return which.length === 0 ? `${who} that are in no group but "all"` : `${who} ${which.join(', ')}`;
};

const verdictWords = ({ verdict, after }: Consequence): string => {
  if (after.length === 0) return 'nothing launches on them any more';
  switch (verdict.verdict) {
    case 'yes':
      return 'can only lose power by it, whatever the agent, user and system';
    case 'no': {
      const { subject } = verdict.witness;
      return `GAIN power, for example agent ${subject.agent.id} of user ${subject.user} on ${subject.os}:`;
    }
    case 'undecided':
      return `may gain power, nobody can tell for every launch (${verdict.why}):`;
  }
};

const entryWords = (sign: string, { category, target, cause, detail }: DeltaEntry): string =>
  `    ${sign} ${category.padEnd(22)} ${target}   ${cause}: ${detail}`;

const changeLines = (change: Consequence, nameOf: NameOf): readonly string[] => {
  const { audiences, example } = change;
  const told = audiences.slice(0, MOST.audiences).map((audience) => `  ${audienceWords(audience, nameOf)}`);
  const entries = [...example.gained.map((entry) => entryWords('+', entry)), ...example.lost.map((entry) => entryWords('-', entry))];
  return [
    ...told,
    ...(audiences.length > told.length ? [`  and ${audiences.length - told.length} more kinds of devices`] : []),
    `    ${verdictWords(change)}`,
    ...entries.slice(0, MOST.entries),
    ...(entries.length > MOST.entries ? [`    and ${entries.length - MOST.entries} more differences`] : []),
  ];
};

/** What is the same for several sets of policies is told once, for all whom it concerns. */
const merged = (changes: readonly Consequence[]): readonly Consequence[] => {
  const same = Map.groupBy(changes, ({ verdict, after, example: { gained, lost } }) =>
    JSON.stringify([verdict.verdict, after.length === 0, gained, lost]),
  );
  return [...same.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [{ ...first, audiences: group.flatMap(({ audiences }) => audiences) }];
  });
};

const kindWords = (members: TargetGroup['members'] | undefined): string => {
  switch (members?.kind) {
    case undefined:
      return 'not there';
    case 'all':
      return 'every device';
    case 'open':
      return 'open: any device may be put there by the server, and gets what it gets';
    case 'listed':
      return `listed: exactly ${members.count} devices`;
  }
};

/** Each group of the new target: who is in it, and what is new about that. */
export const groupLines = (before: TargetSide | undefined, after: TargetSide, nameOf: NameOf): readonly string[] =>
  after.target.groups.flatMap(({ group, members }) => {
    const was = before?.target.groups.find((one) => one.group === group)?.members;
    const [old, now] = [new Set(before?.lists[group] ?? []), new Set(after.lists[group] ?? [])];
    const added = was?.kind === 'listed' || was === undefined ? [...now].filter((id) => !old.has(id)) : [];
    const gone = members.kind === 'listed' ? [...old].filter((id) => !now.has(id)) : [];
    return [
      `  ${nameOf(group)}  ${kindWords(members)}${before !== undefined && was?.kind !== members.kind ? `  (before: ${kindWords(was)})` : ''}`,
      ...(added.length > 0 ? [`    + ${some(added, MOST.members)}`] : []),
      ...(gone.length > 0 ? [`    - ${some(gone, MOST.members)}`] : []),
    ];
  });

export const summaryLine = ({ id, title, state, signatures, threshold, createdBy, createdAt }: ProposalSummary): string =>
  `${id}  ${state.padEnd(10)}  ${signatures.length} of ${threshold} signed  "${title}" by ${createdBy} at ${createdAt}`;

/** Everything that an approver reads before signing. */
export const reviewLines = (detail: ProposalDetail, { payload, before, after, consequences }: Review): readonly string[] => {
  const nameOf: NameOf = (group) => `"${detail.names.groups[group] ?? '?'}" (${group})`;
  const { changes, untold } = consequences;
  return [
    summaryLine(detail),
    `organisation ${payload.org}, epoch ${payload.epoch}; to be published before ${payload.expiresAt}`,
    payload.from === null
      ? 'nothing was approved before in this epoch: all that it gives is told as new'
      : payload.wayBackUntil === null
        ? 'what was approved before does not come back without another approval'
        : `what was approved before may come back without another approval until ${payload.wayBackUntil}`,
    'groups (their names are as the server says; their ids are what you sign):',
    ...groupLines(before, after, nameOf),
    ...exceptionLines(before, after, detail.documents, nameOf),
    changes.length === 0 ? 'no device gets other policies by it' : 'what changes, computed here from what you would sign:',
    ...merged(changes).flatMap((change) => changeLines(change, nameOf)),
    ...(untold > 0 ? [`  and ${untold} more changes for other kinds of devices, which are NOT told here: ask for a smaller proposal`] : []),
    `as groups are now, the server counts ${detail.devices} devices that get other policies`,
  ];
};
