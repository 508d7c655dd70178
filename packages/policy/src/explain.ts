/** One question at a time; who has many makes a decider. */
import { createDecider } from './decide/decider.ts';
import { indexEgress, type EgressIndex, type HttpRequest, type Manner } from './decide/egress.ts';
import { judge } from './decide/judge.ts';
import type { ReachRules } from './egress-rules.ts';
import type { EffectivePolicy, Explanation } from './effective.ts';
import { canonicalHost } from './match/host.ts';

/** @throws CordonError `path.invalid` for a path that is not absolute */
export const explainPath = (effective: EffectivePolicy, path: string, access: 'read' | 'write'): Explanation =>
  createDecider(effective).path(path, access);

/** @throws CordonError `host.invalid` */
export const explainHost = (effective: EffectivePolicy, host: string, port: number): Explanation =>
  createDecider(effective).host(host, port);

/** @returns whether the host may be reached at that port, and whether the rules that allow it permit private addresses. @throws CordonError `host.invalid` */
export const explainEgress = (rules: ReachRules | EgressIndex, host: string, port: number, http?: HttpRequest): Explanation & Manner => {
  const index = 'judged' in rules ? rules : indexEgress(rules);
  const judged = index.judged(canonicalHost(host), port, http);
  const explanation = judge(judged);
  const { private: isPrivate, raw, exact } = judged;
  const allowed = explanation.verdict === 'allowed';
  return { ...explanation, private: allowed && isPrivate, raw: allowed && raw, exact };
};
