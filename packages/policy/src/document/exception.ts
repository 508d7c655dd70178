/**
 * Exceptions: a time-boxed allow, or the time-boxed suspension of one named rule of one revision. Applied to the set before it is resolved, so order still does
 * not matter; they end on the device by themselves, without any network. Floor and built-in sets are no revisions and cannot be suspended.
 */
import { Type, type Static } from 'typebox';
import { Time } from '../protocol/time.ts';
import { ruleId } from './rules.ts';
import { prepareDocument } from './prepare.ts';
import type { PreparedPolicy } from './prepared.ts';
import { Allow, Match, type PolicyDocument } from './schema.ts';

const closed = { additionalProperties: false } as const;

/** Through which assignments and groups something reaches a device. */
export const Because = Type.Array(
  Type.Object(
    { assignment: Type.String({ maxLength: 64 }), group: Type.String({ maxLength: 64 }), groupName: Type.String({ maxLength: 128 }) },
    closed,
  ),
  { maxItems: 1000 },
);

export const ExceptionChange = Type.Union([
  Type.Object({ kind: Type.Literal('allow'), match: Type.Optional(Match), allow: Allow }, closed),
  Type.Object(
    {
      kind: Type.Literal('suspend'),
      policy: Type.String({ maxLength: 64 }),
      revision: Type.Integer({ minimum: 1 }),
      rule: Type.String({ pattern: '^r_[0-9a-f]{12}$' }),
    },
    closed,
  ),
]);
export type ExceptionChange = Static<typeof ExceptionChange>;

/** Everything of an exception but how it reaches a device. */
export const exceptionTerms = {
  id: Type.String({ minLength: 1, maxLength: 64 }),
  /** What it is called in explanations. */
  name: Type.String({ minLength: 1, maxLength: 128 }),
  expiresAt: Time,
  change: ExceptionChange,
} as const;

export const Exception = Type.Object({ ...exceptionTerms, because: Because }, closed);
export type Exception = Static<typeof Exception>;
export type ExceptionTerms = Omit<Exception, 'because'>;

export interface PreparedException {
  readonly id: string;
  readonly expiresAt: number;
  readonly change:
    | { readonly kind: 'allow'; readonly policy: PreparedPolicy }
    | { readonly kind: 'suspend'; readonly key: string; readonly rule: string };
}

/** An added allow as if it were a policy: what is checked of policies is checked of it. */
export const documentOf = ({ match, allow }: Extract<ExceptionChange, { kind: 'allow' }>): PolicyDocument => ({
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name: 'exception' },
  spec: { ...(match !== undefined && { match }), allow, required: [] },
});

/** @throws CordonError as policies do, for an allow that means nothing */
export const prepareException = ({ id, name, expiresAt, because, change }: Exception): PreparedException => {
  const ends = Date.parse(expiresAt);
  if (change.kind === 'suspend')
    return { id, expiresAt: ends, change: { kind: 'suspend', key: `${change.policy}@${change.revision}`, rule: change.rule } };
  const document = documentOf(change);
  const policy = prepareDocument(document, `exception:${id}`, name, (kind, section, rule) => ({
    rule: ruleId(id, kind, section, rule),
    source: 'policy',
    policy: name,
    revision: 1,
    because,
  }));
  return { id, expiresAt: ends, change: { kind: 'allow', policy } };
};

const ruleOf = (value: unknown): string | undefined => {
  if (typeof value !== 'object' || value === null) return undefined;
  const { origin, rule } = value as { readonly origin?: { readonly rule?: string }; readonly rule?: string };
  return origin?.rule ?? rule;
};

/** The policy as if the rule did not stand in it. */
const withoutRule = (policy: PreparedPolicy, rule: string): PreparedPolicy => {
  const rest = Object.entries(policy).map(([field, value]: [string, unknown]) => {
    if (Array.isArray(value)) return [field, value.filter((item: unknown) => ruleOf(item) !== rule)];
    return [field, ruleOf(value) === rule ? undefined : value];
  });
  return Object.fromEntries(rest) as PreparedPolicy;
};

/** @returns the policies as they are with every exception that has not ended at `now` */
export const withExceptions = (
  policies: readonly PreparedPolicy[],
  exceptions: readonly PreparedException[],
  now: Date,
): readonly PreparedPolicy[] => {
  const living = exceptions.filter(({ expiresAt }) => expiresAt > now.getTime());
  if (living.length === 0) return policies;
  const suspended = Map.groupBy(
    living.flatMap(({ change }) => (change.kind === 'suspend' ? [change] : [])),
    ({ key }) => key,
  );
  const narrowed = policies.map((policy) => (suspended.get(policy.key) ?? []).reduce((left, { rule }) => withoutRule(left, rule), policy));
  return [...narrowed, ...living.flatMap(({ change }) => (change.kind === 'allow' ? [change.policy] : []))];
};
