/** What a program cannot do without and policies do not grant, each with the reason. */
import { createDecider, type Decider } from '../decide/decider.ts';
import type { HttpRequest } from '../decide/egress.ts';
import { judge } from '../decide/judge.ts';
import { hostRule } from '../document/network-rules.ts';
import { switches } from '../document/prepare.ts';
import type { HostEntry } from '../document/schema.ts';
import { expandPath, parsePathText } from '../document/variables.ts';
import type { EffectivePolicy, Explanation, HostRule, PathVariables, RuleOrigin } from '../effective.ts';
import { hostsOrigin, knownVariables } from './apply.ts';
import type { AgentManifest } from './schema.ts';

export interface UnmetNeed {
  /** As the manifest has it: `filesystem.write ${workspace}/out`, `network.hosts api.example.com:443`. */
  readonly need: string;
  /** Why it is not granted. */
  readonly explanation: Explanation;
}

const refusal = (target: string, reason: string, rule?: RuleOrigin): Explanation => ({
  verdict: 'denied',
  target,
  rule,
  effect: rule === undefined ? 'default' : 'allow',
  reason,
  shadowed: [],
  decisive: [],
  without: [],
});

const denied = (need: string, explanation: Explanation): UnmetNeed[] => (explanation.verdict === 'denied' ? [{ need, explanation }] : []);

const unmetPaths = (decider: Decider, access: 'read' | 'write', texts: readonly string[], known: PathVariables): readonly UnmetNeed[] => {
  const { subject, workspace } = decider.effective;
  return texts.flatMap((text) => {
    const need = `filesystem.${access} ${text}`;
    const template = parsePathText(text);
    const places = expandPath(template, known, subject.os);
    if (places.length > 0) return places.flatMap((place) => denied(need, decider.path(place, access)));
    if (template.kind !== 'variable') return []; // a place of another system
    const why =
      template.variable === 'workspace' && !workspace.allowed ? workspace.why : `\${${template.variable}} stands for no folder here`;
    return [{ need, explanation: refusal(text, why) }];
  });
};

/** No rule can name this method, so only one for every method covers it. */
const EVERY_METHOD = '*';

/** What an entry stands for: one tunnel, or each method with each path. */
const requestsOf = ({ methods, prefixes }: HostRule): readonly (HttpRequest | undefined)[] =>
  methods === undefined && prefixes === undefined
    ? [undefined]
    : (prefixes ?? ['/']).flatMap((path) => (methods ?? [EVERY_METHOD]).map((method) => ({ method, path })));

/** A pattern is asked for as if it were a name: only rules with the same or a wider one cover it. */
const unmetHost = ({ egress, effective: { refused } }: Decider, entry: HostEntry, origin: RuleOrigin): readonly UnmetNeed[] => {
  const rule = hostRule(entry, 'allow', origin);
  return (rule.ports ?? []).flatMap((port) =>
    requestsOf(rule).flatMap((http): UnmetNeed[] => {
      const { target, denies, brokenLimits, allows, private: reachesPrivate } = egress.judged(rule.host, port, http);
      const asked = http === undefined ? target : `${http.method} http://${target}${http.path}`;
      const need = `network.hosts ${asked}${rule.private ? ' (private)' : ''}`;
      if (refused !== undefined) return [{ need, explanation: refusal(target, `nothing starts here: ${refused.message}`, refused.origin) }];
      // The key of a pattern is looked up twice.
      const explanation = judge({ target, denies: [...new Set(denies)], brokenLimits, allows: [...new Set(allows)] });
      if (explanation.verdict === 'denied' || !rule.private || reachesPrivate) return denied(need, explanation);
      return [{ need, explanation: refusal(target, 'it is allowed at public addresses only: no rule with private: true allows it') }];
    }),
  );
};

/**
 * @param effective what policies give, with or without the manifest applied
 * @param variables those with which it was resolved
 * @returns each required need that is not granted; what is merely carved out below a granted place is no unmet need
 */
export const unmetNeeds = (effective: EffectivePolicy, manifest: AgentManifest, variables: PathVariables): readonly UnmetNeed[] => {
  const { filesystem, network, environment, ...switched } = manifest.needs.required ?? {};
  const decider = createDecider(effective);
  const known = knownVariables(effective, variables);
  const rights = new Set(switches({ ...switched, ...(network !== undefined && { network }) }).flatMap(({ named }) => named));
  return [
    ...unmetPaths(decider, 'read', filesystem?.read ?? [], known),
    ...unmetPaths(decider, 'write', filesystem?.write ?? [], known),
    ...(network?.hosts ?? []).flatMap((entry) => unmetHost(decider, entry, hostsOrigin(manifest))),
    ...[...rights].flatMap((right) => denied(right, decider.right(right))),
    ...(environment ?? []).flatMap((name) => denied(`environment ${name}`, decider.variable(name))),
  ];
};
