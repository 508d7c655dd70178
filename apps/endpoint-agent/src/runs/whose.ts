/** Whom to ask about a policy, and the words that say so. Pure. */
import type { RuleOrigin } from '@cordon/policy/effective.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';

/** Null where nobody is named. */
export interface Whose {
  readonly owner: string | null;
  readonly contact: string | null;
}

const joined = (texts: readonly (string | undefined)[]): string | null => {
  const named = [...new Set(texts.filter((text) => text !== undefined))];
  return named.length === 0 ? null : named.join(', ');
};

/** @param policy its name; undefined, or none of those in force: whoever owns any of them */
export const whoseIs = (state: Pick<VerifiedState, 'content'> | undefined, policy: string | undefined): Whose => {
  const all = (state?.content.policies ?? []).filter(({ document }) => document.spec.mode !== 'audit');
  const meant = all.filter(({ name }) => name === policy);
  const metadata = (meant.length > 0 ? meant : all).map(({ document }) => document.metadata);
  return { owner: joined(metadata.map(({ owner }) => owner)), contact: joined(metadata.map(({ contact }) => contact)) };
};

export const whomToAsk = ({ owner, contact }: Whose): string => {
  if (owner === null && contact === null) return 'your administrator';
  return `${owner ?? 'the owner of the policy'}${contact === null ? '' : ` (${contact})`}`;
};

const BEYOND: Readonly<Partial<Record<RuleOrigin['source'], string>>> = {
  builtin: 'this is built in, and no exception can allow it',
  floor: "this is your organisation's floor, and no exception can allow it",
  manifest: "the program's manifest does not ask for it: see who writes that",
  parent: 'the run that it is inside does not have it',
};

/** What no exception can give, and why. */
export const beyondAsking = (rule: Pick<RuleOrigin, 'source'> | undefined): string | undefined => rule && BEYOND[rule.source];

/** Refusals of a launch that an owner of a policy could change. */
const BY_POLICY = new Set(['launch.no-policy', 'launch.denied', 'launch.workspace', 'launch.need-unmet']);

interface Told {
  readonly code: string;
  readonly message: string;
}

/** Says to whoever was refused by a policy whom to ask. @param state that may have a reason of its own not to be there */
export const advised = (error: Told, state: () => Pick<VerifiedState, 'content'> | undefined): Told => {
  if (!BY_POLICY.has(error.code)) return error;
  try {
    return { ...error, message: `${error.message}. To have it allowed, ask ${whomToAsk(whoseIs(state(), undefined))}` };
  } catch {
    return error; // nothing is in force, and the refusal says why
  }
};
