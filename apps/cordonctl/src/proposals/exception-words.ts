/** The exceptions of a target in words: for whom, until when, and what. Pure. */
import type { TargetSide } from '@cordon/policy/approval/audiences.ts';
import type { ExceptionChange } from '@cordon/policy/document/exception.ts';
import { ruleTexts } from '@cordon/policy/document/rule-texts.ts';
import type { ProposalDetail } from './wire.ts';

type Exceptions = NonNullable<TargetSide['target']['exceptions']>;

/** A rule is told by the very document whose digest is signed. */
const changeWords = (change: ExceptionChange, side: TargetSide, documents: ProposalDetail['documents']): string => {
  if (change.kind === 'allow')
    return `allows ${JSON.stringify(change.allow)}${change.match === undefined ? '' : ` where ${JSON.stringify(change.match)}`}`;
  const { policy, revision, rule } = change;
  const digest = side.target.policies.find((one) => one.policy === policy && one.revision === revision)?.digest;
  const document = documents.find((one) => one.digest === digest)?.document;
  const text = document === undefined ? undefined : ruleTexts(policy, document).get(rule)?.text;
  return text === undefined
    ? `suspends rule ${rule} of ${policy} revision ${revision}, which is not in force: it has no effect`
    : `suspends "${text}" of ${document?.metadata.name ?? policy} revision ${revision}`;
};

/** What is new first, then what goes on, then what ends by it. */
export const exceptionLines = (
  before: TargetSide | undefined,
  after: TargetSide,
  documents: ProposalDetail['documents'],
  nameOf: (group: string) => string,
): readonly string[] => {
  const [was, is]: readonly [Exceptions, Exceptions] = [before?.target.exceptions ?? [], after.target.exceptions ?? []];
  const has = (side: Exceptions, id: string): boolean => side.some((one) => one.id === id);
  const line = (sign: string, side: TargetSide, { id, name, group, expiresAt, change }: Exceptions[number]): string =>
    `  ${sign} "${name}" (${id}) for ${nameOf(group)} until ${expiresAt}: ${changeWords(change, side, documents)}`;
  const lines = [
    ...is.filter(({ id }) => !has(was, id)).map((one) => line('+', after, one)),
    ...is.filter(({ id }) => has(was, id)).map((one) => line(' ', after, one)),
    ...(before === undefined ? [] : was.filter(({ id }) => !has(is, id)).map((one) => line('-', before, one))),
  ];
  return lines.length === 0 ? [] : ['exceptions, which end by themselves:', ...lines];
};
