/** An exception as an admin makes and sees it. Pure. */
import { checkDocument } from '@cordon/policy/document/check.ts';
import { documentOf, ExceptionChange } from '@cordon/policy/document/exception.ts';
import { ruleTexts } from '@cordon/policy/document/rule-texts.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { durationMs } from '@cordon/policy/document/units.ts';
import { Type, type Static } from 'typebox';
import { badRequest } from '../errors.ts';

const closed = { additionalProperties: false } as const;
const Nullable = Type.Union([Type.String(), Type.Null()]);

/** The longest that one may last: what is needed for longer belongs into a policy. */
export const MAX_EXCEPTION_MS = 30 * 86_400_000;

export const STATES = ['draft', 'in-force', 'ended', 'expired'] as const;
export type ExceptionState = (typeof STATES)[number];

export const ExceptionView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    reason: Type.String(),
    state: Type.Enum([...STATES], { description: 'draft: not approved and published yet' }),
    change: ExceptionChange,
    /** Of a rule that is suspended: what it says. */
    rule: Nullable,
    group: Type.Union([Type.Object({ id: Type.String(), name: Type.String() }, closed), Type.Null()]),
    device: Type.Union([Type.Object({ id: Type.String(), name: Type.String() }, closed), Type.Null()]),
    requestId: Nullable,
    expiresAt: Type.String(),
    createdBy: Type.String(),
    createdAt: Type.String(),
    endedAt: Nullable,
    endedBy: Nullable,
  },
  closed,
);
export type ExceptionView = Static<typeof ExceptionView>;

export interface ExceptionRow {
  readonly id: string;
  readonly name: string;
  readonly reason: string;
  readonly change: ExceptionChange;
  readonly groupId: string;
  readonly requestId: string | null;
  readonly expiresAt: Date;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
  readonly endedBy: string | null;
}

export const isOfDevice = (groupId: string): boolean => groupId.startsWith('dev_');

export const stateOf = (
  { endedAt, expiresAt }: Pick<ExceptionRow, 'endedAt' | 'expiresAt'>,
  isPublished: boolean,
  now: Date,
): ExceptionState => {
  if (endedAt !== null) return 'ended';
  if (expiresAt <= now) return 'expired';
  return isPublished ? 'in-force' : 'draft';
};

/** @param until a duration from now (`8h`) or a time. @throws Refusal exception.expiry */
export const endOf = (until: string, now: Date): Date => {
  const end = new Date(/^[0-9]+[smhd]$/.test(until) ? now.getTime() + durationMs(until) : Date.parse(until));
  const lasts = end.getTime() - now.getTime();
  if (!(lasts > 0 && lasts <= MAX_EXCEPTION_MS))
    throw badRequest(
      'exception.expiry',
      `an exception ends by itself, within ${MAX_EXCEPTION_MS / 86_400_000} days: give a duration as 8h, or a time in that span; what is needed for longer belongs into a policy`,
      '/until',
    );
  return end;
};

/** What the schema cannot say of an added allow: its places and hosts mean something, and may be granted. @throws Refusal with the code that a policy with that allow has */
export const checkAllow = (change: Extract<ExceptionChange, { kind: 'allow' }>): void => {
  const [first] = checkDocument(documentOf(change));
  if (first !== undefined) throw badRequest(first.code, first.message, `/change/${first.path.slice(1).join('/')}`);
};

/**
 * What the rule says that is to be suspended.
 * @throws Refusal exception.rule
 */
export const ruleOf = (change: Extract<ExceptionChange, { kind: 'suspend' }>, document: PolicyDocument): string => {
  const rules = ruleTexts(change.policy, document);
  const found = rules.get(change.rule);
  if (found !== undefined && found.kind !== 'allow') return found.text;
  const some = [...rules].filter(([, { kind }]) => kind !== 'allow').map(([id, { text }]) => `${id} (${text})`);
  throw badRequest(
    'exception.rule',
    `${change.rule} is ${found === undefined ? 'no rule' : 'an allow'} of revision ${change.revision}; rules that can be suspended: ${some.slice(0, 20).join(', ') || 'none'}`,
    '/change/rule',
  );
};
