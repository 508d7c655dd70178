/** The one decision, with its reason: the egress proxy, `cordon why` and the control plane ask the same functions. */
import type { EffectivePolicy, Explanation, HostRule, PathRule, RuleOrigin } from './effective.ts';
import { canonicalHost, hostMatches } from './match/host.ts';
import { canonicalPath, isWithin } from './match/path.ts';

/** Hosts of an effective policy: all that the egress proxy of a run needs. */
export type EgressRules = Pick<EffectivePolicy, 'hosts' | 'hostLimits'>;

const named = ({ policy, revision, rule, source, because }: RuleOrigin): string => {
  const via = because.map((b) => b.groupName).join(', ');
  if (source === 'builtin') return `the built-in rule ${rule.replace(/^builtin:/, '')}`;
  return `rule ${rule} of ${source === 'floor' ? 'the floor' : `policy ${policy}, revision ${revision}`}${via === '' ? '' : `, assigned to ${via}`}`;
};

interface Judged {
  readonly target: string;
  readonly denies: readonly RuleOrigin[];
  readonly allows: readonly RuleOrigin[];
  readonly brokenLimits: readonly RuleOrigin[];
}

/** Denies beat limits beat allows; what would have allowed is named as shadowed. */
const decide = ({ target, denies, allows, brokenLimits }: Judged): Explanation => {
  const [deny] = denies;
  const [limit] = brokenLimits;
  const [allow] = allows;
  if (deny !== undefined)
    return { verdict: 'denied', target, rule: deny, effect: 'deny', reason: `denied by ${named(deny)}`, shadowed: allows };
  if (limit !== undefined)
    return { verdict: 'denied', target, rule: limit, effect: 'limit', reason: `outside the limit of ${named(limit)}`, shadowed: allows };
  if (allow !== undefined)
    return { verdict: 'allowed', target, rule: allow, effect: 'allow', reason: `allowed by ${named(allow)}`, shadowed: [] };
  return {
    verdict: 'denied',
    target,
    rule: undefined,
    effect: 'default',
    reason: 'no rule allows it, so it is denied by default',
    shadowed: [],
  };
};

const refusal = (effective: EffectivePolicy, target: string): Explanation | undefined =>
  effective.refused === undefined
    ? undefined
    : {
        verdict: 'denied',
        target,
        rule: undefined,
        effect: 'default',
        reason: `nothing starts here: ${effective.refused.message}`,
        shadowed: [],
      };

/** Whether a deny bites at this access: `access` hides from both, `write` only from writing. */
const bites = (rule: PathRule, access: 'read' | 'write'): boolean =>
  rule.effect === 'deny' && (rule.access === 'access' || access === 'write');
const grants = (rule: PathRule, access: 'read' | 'write'): boolean =>
  rule.effect === 'allow' && (rule.access === 'write' || access === 'read');

/** @throws CordonError `path.invalid` for a path that is not absolute */
export const explainPath = (effective: EffectivePolicy, path: string, access: 'read' | 'write'): Explanation => {
  const { os } = effective.subject;
  const target = canonicalPath(path, os);
  const covering = effective.paths.filter((rule) => isWithin(target, rule.path, os));
  const limits = effective.pathLimits.filter((limit) => limit.access === 'read' || access === 'write');
  return (
    refusal(effective, target) ??
    decide({
      target,
      denies: covering.filter((rule) => bites(rule, access)).map((rule) => rule.origin),
      allows: covering
        .filter((rule) => grants(rule, access))
        .toSorted((a, b) => b.path.length - a.path.length)
        .map((rule) => rule.origin),
      // The system's own folders and the private tmp are no grant that a limit could take away: nothing would start.
      brokenLimits: covering.some((rule) => rule.origin.source === 'builtin' && grants(rule, access))
        ? []
        : limits.filter((limit) => !limit.paths.some((p) => isWithin(target, p, os))).map((limit) => limit.origin),
    })
  );
};

const covers = (rule: HostRule, host: string, port: number): boolean =>
  hostMatches(rule.host, host) && (rule.ports === undefined || rule.ports.includes(port));

/** @returns whether the host may be reached at that port, and whether the winning rule permits private addresses */
export const explainEgress = (rules: EgressRules, host: string, port: number): Explanation & { readonly private: boolean } => {
  const name = canonicalHost(host);
  const matching = rules.hosts.filter((rule) => covers(rule, name, port));
  const allows = matching.filter((rule) => rule.effect === 'allow');
  const explanation = decide({
    target: `${name}:${port}`,
    denies: matching.filter((rule) => rule.effect === 'deny').map((rule) => rule.origin),
    allows: allows.map((rule) => rule.origin),
    brokenLimits: rules.hostLimits.filter((limit) => !limit.hosts.some((rule) => covers(rule, name, port))).map((limit) => limit.origin),
  });
  return { ...explanation, private: explanation.verdict === 'allowed' && allows.some((rule) => rule.private) };
};

/** @throws CordonError `host.invalid` */
export const explainHost = (effective: EffectivePolicy, host: string, port: number): Explanation =>
  refusal(effective, `${host}:${port}`) ?? explainEgress(effective, host, port);
