/** The attempts asked of the proposal itself, by the same decision as any run: which rules allow each, and which rules nobody needs. */
import { createDecider, type Decider } from '../decide/decider.ts';
import { preparePolicy } from '../document/prepare.ts';
import { ruleId } from '../document/rules.ts';
import type { HostEntry, PolicyDocument } from '../document/schema.ts';
import type { OperatingSystem, PathVariables } from '../effective.ts';
import { resolve } from '../resolve.ts';
import type { LocatedAttempt } from './attempts.ts';
import type { NetworkAttempt } from './hosts.ts';
import type { LearnedRule } from './proposal.ts';
import type { Seen } from './tally.ts';

export type Candidate = Pick<LearnedRule, 'section' | 'rule'>;

export interface Replayed {
  readonly attempt: Seen;
  /** Positions of the candidates that allow it. */
  readonly by: readonly number[];
}

const POLICY = 'proposal';
const ANYWHERE: PathVariables = { home: '/', workspace: undefined, tmp: '/', tools: [], agent: [] };

export const documentOf = (
  name: string,
  { agents, systems, description }: { agents: readonly string[] | undefined; systems: readonly OperatingSystem[]; description: string },
  rules: readonly Candidate[],
): PolicyDocument => {
  const of = (section: LearnedRule['section']): readonly Candidate['rule'][] =>
    rules.filter((rule) => rule.section === section).map(({ rule }) => rule);
  const texts = (section: LearnedRule['section']): string[] => of(section).filter((rule) => typeof rule === 'string');
  const hosts = of('network.hosts').filter((rule): rule is HostEntry => typeof rule !== 'string');
  const [read, write] = [texts('filesystem.read'), texts('filesystem.write')];
  const match = {
    ...(agents !== undefined && { agents: [...agents] }),
    ...(systems.length > 0 && systems.length < 3 && { os: [...systems] }),
  };
  return {
    apiVersion: 'cordon/v1',
    kind: 'ContainmentPolicy',
    metadata: { name, description },
    spec: {
      ...(Object.keys(match).length > 0 && { match }),
      allow: {
        ...(read.length + write.length > 0 && {
          filesystem: { ...(read.length > 0 && { read }), ...(write.length > 0 && { write }) },
        }),
        ...(hosts.length > 0 && { network: { hosts } }),
      },
    },
  };
};

/** @returns for each attempt, network before files, the candidates that allow it */
export const replay = (
  document: PolicyDocument,
  candidates: readonly Candidate[],
  { network, files }: { network: readonly NetworkAttempt[]; files: readonly LocatedAttempt[] },
  os: OperatingSystem,
): readonly Replayed[] => {
  const prepared = preparePolicy({ policy: POLICY, name: document.metadata.name, revision: 1, document, because: [] });
  const at = new Map(candidates.map(({ section, rule }, i) => [ruleId(POLICY, 'allow', section, rule), i]));
  const agent = { id: document.spec.match?.agents?.[0] ?? '', proof: 'proven' as const };
  const deciders = new Map<string, Decider>();
  const deciderFor = (system: OperatingSystem, variables: PathVariables): Decider => {
    const key = JSON.stringify([system, variables]);
    const decider =
      deciders.get(key) ??
      createDecider(resolve({ policies: [prepared], floor: undefined, subject: { agent, user: '', os: system }, variables }));
    deciders.set(key, decider);
    return decider;
  };
  const ofNetwork = deciderFor(os, os === 'windows' ? { ...ANYWHERE, home: 'C:\\', tmp: 'C:\\' } : ANYWHERE).egress;
  return [
    ...network.map((attempt) => {
      const by = ofNetwork.judged(attempt.host, attempt.port).allows.flatMap(({ rule }) => at.get(rule) ?? []);
      return { attempt, by: attempt.private ? by.filter((i) => isPrivateRule(candidates[i])) : by };
    }),
    ...files.map((attempt) => {
      const { denies, allows } = deciderFor(attempt.os, attempt.variables).paths.judged(attempt.path, attempt.access);
      return { attempt, by: denies.length > 0 ? [] : allows.flatMap(({ rule }) => at.get(rule) ?? []) };
    }),
  ];
};

const isPrivateRule = (candidate: Candidate | undefined): boolean => typeof candidate?.rule === 'object' && candidate.rule.private === true;

/**
 * Takes away, in the given order, whatever is not needed: what is left allows the same attempts, and without any of it one of them would be denied.
 * @param by for each attempt the positions that allow it; @returns positions that are left
 */
export const needed = (order: readonly number[], by: readonly (readonly number[])[]): ReadonlySet<number> => {
  const left = by.map((positions) => positions.length);
  const users = Map.groupBy(
    by.flatMap((positions, attempt) => positions.map((i) => ({ i, attempt }))),
    ({ i }) => i,
  );
  const kept = new Set(order);
  for (const i of order) {
    const using = users.get(i) ?? [];
    if (using.some(({ attempt }) => left[attempt] === 1)) continue;
    kept.delete(i);
    for (const { attempt } of using) left[attempt] = (left[attempt] ?? 0) - 1;
  }
  return kept;
};
