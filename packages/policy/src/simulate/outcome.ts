/** What a change of policies means for one access of one subject. */
import { createDecider, type Decider } from '../decide/decider.ts';
import type { PreparedPolicy } from '../document/prepared.ts';
import type { Explanation, PathVariables, RuleOrigin, Subject, Verdict } from '../effective.ts';
import { resolve } from '../resolve.ts';
import type { RecordedAccess } from './recorded.ts';

export interface Sets {
  readonly before: readonly PreparedPolicy[];
  readonly after: readonly PreparedPolicy[];
  /** Holds for both. */
  readonly floor: PreparedPolicy | undefined;
}

export type Outcome =
  | { readonly kind: 'unchanged'; readonly verdict: Verdict }
  /** What decides now, and what decided before; undefined is default deny, or that nothing starts. */
  | { readonly kind: Verdict; readonly target: string; readonly rule: RuleOrigin | undefined; readonly was: RuleOrigin | undefined };

export interface Deciders {
  readonly before: Decider;
  readonly after: Decider;
}

export const decidersFor = ({ before, after, floor }: Sets, subject: Subject, variables: PathVariables): Deciders => ({
  before: createDecider(resolve({ policies: before, floor, subject, variables })),
  after: createDecider(resolve({ policies: after, floor, subject, variables })),
});

/**
 * Names of agents and users that policies speak of, and one for all others, whom every policy treats alike. So there are as many subjects as policies tell
 * apart, however many people a fleet has.
 */
export const namesIn = ({ before, after, floor }: Sets, whose: 'agents' | 'users'): ((name: string) => string) => {
  const named = new Set([...before, ...after, ...(floor === undefined ? [] : [floor])].flatMap(({ match }) => [...match[whose]]));
  let other = 'other';
  while (named.has(other)) other += '-';
  return (name) => (named.has(name) ? name : other);
};

const isAllowed = (decider: Decider, event: RecordedAccess): boolean => {
  if (decider.effective.refused !== undefined) return false;
  return event.kind === 'egress'
    ? decider.egress.allows(event.host, event.port, event.http)
    : decider.paths.allows(event.path, event.access);
};

const explained = (decider: Decider, event: RecordedAccess): Explanation =>
  event.kind === 'egress' ? decider.host(event.host, event.port, event.http) : decider.path(event.path, event.access);

/** @param event with a canonical host or path */
export const outcomeOf = ({ before, after }: Deciders, event: RecordedAccess): Outcome => {
  const [was, is] = [isAllowed(before, event), isAllowed(after, event)];
  if (was === is) return { kind: 'unchanged', verdict: is ? 'allowed' : 'denied' };
  const now = explained(after, event);
  return { kind: now.verdict, target: now.target, rule: now.rule, was: explained(before, event).rule };
};
