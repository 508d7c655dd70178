/** The one decision: denies beat limits beat allows, and nothing is allowed by itself. With the reason, and what would be without each policy. */
import type { Explanation, RuleOrigin, Verdict } from '../effective.ts';

export interface Judged {
  readonly target: string;
  /** Each list with the most specific first. */
  readonly denies: readonly RuleOrigin[];
  readonly brokenLimits: readonly RuleOrigin[];
  readonly allows: readonly RuleOrigin[];
}

const named = ({ policy, revision, rule, source, because }: RuleOrigin): string => {
  const via = because.map((b) => b.groupName).join(', ');
  if (source === 'builtin') return `the built-in rule ${rule.replace(/^builtin:/, '')}`;
  if (source === 'manifest') return `the manifest of the agent, which does not ask for it`;
  if (source === 'parent') return `the run that started this one, which may not do it itself`;
  return `rule ${rule} of ${source === 'floor' ? 'the floor' : `policy ${policy}, revision ${revision}`}${via === '' ? '' : `, assigned to ${via}`}`;
};

const verdictOf = (denies: number, brokenLimits: number, allows: number): Verdict =>
  denies === 0 && brokenLimits === 0 && allows > 0 ? 'allowed' : 'denied';

/** What the verdict would be without each policy that has a say, in the order of their names. Built-in rules cannot be taken away. */
const counterfactuals = ({ denies, brokenLimits, allows }: Judged): Explanation['without'] => {
  const policies = [
    ...new Set([...denies, ...brokenLimits, ...allows].filter(({ source }) => source === 'policy').map(({ policy }) => policy)),
  ].sort();
  const left = (rules: readonly RuleOrigin[], without: string): number =>
    rules.reduce((count, rule) => count + (rule.source === 'policy' && rule.policy === without ? 0 : 1), 0);
  return policies.map((policy) => ({ policy, verdict: verdictOf(left(denies, policy), left(brokenLimits, policy), left(allows, policy)) }));
};

export const judge = (judged: Judged): Explanation => {
  const { target, denies, brokenLimits, allows } = judged;
  const [deny] = denies;
  const [limit] = brokenLimits;
  const [allow] = allows;
  const without = counterfactuals(judged);
  const stops = [...denies, ...brokenLimits];
  const decisive = allows.length > 0 ? stops : [];
  const alone = stops.length > 0 && allows.length === 0 ? '; and nothing allows it' : '';
  if (deny !== undefined)
    return {
      verdict: 'denied',
      target,
      rule: deny,
      effect: 'deny',
      reason: `denied by ${named(deny)}${alone}`,
      shadowed: allows,
      decisive,
      without,
    };
  if (limit !== undefined) {
    const reason =
      limit.source === 'manifest' || limit.source === 'parent' ? `outside ${named(limit)}` : `outside the limit of ${named(limit)}`;
    return { verdict: 'denied', target, rule: limit, effect: 'limit', reason: `${reason}${alone}`, shadowed: allows, decisive, without };
  }
  if (allow !== undefined)
    return {
      verdict: 'allowed',
      target,
      rule: allow,
      effect: 'allow',
      reason: `allowed by ${named(allow)}`,
      shadowed: [],
      decisive: allows,
      without,
    };
  return {
    verdict: 'denied',
    target,
    rule: undefined,
    effect: 'default',
    reason: 'no rule allows it, so it is denied by default',
    shadowed: [],
    decisive: [],
    without,
  };
};
