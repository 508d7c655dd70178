/** Both sides' ways out, asked the same question. */
import { judge, type Judged } from '../decide/judge.ts';
import type { HostRule } from '../effective.ts';
import { cidrsOf } from './address-spans.ts';
import type { Gain } from './entry.ts';
import { freshPort, type RequestClass } from './request-classes.ts';
import { difference, type Side } from './side.ts';

/**
 * What one side can reach and the other cannot. Private is a class of its own and not a list of ranges: which addresses count as private depends on the
 * device (its own interfaces) and on its version.
 */
export interface Reach {
  readonly public: boolean;
  readonly private: boolean;
}

export interface EgressPair {
  readonly more: Side;
  readonly less: Side;
  /** A port that no rule names. */
  readonly fresh: number | undefined;
  /** Lists of ports of rules about networks. */
  readonly networkPorts: readonly (readonly number[])[];
  /** Hosts that rules and limits name: names and patterns, or addresses. */
  readonly keys: readonly string[];
  /** Rules and entries of limits of both sides with exactly this host. */
  rulesAt(key: string): readonly HostRule[];
  gain(host: string, request: RequestClass): Reach;
  /** Whether both sides allow it. */
  shared(host: string, request: RequestClass): boolean;
  explained(host: string, request: RequestClass): Pick<Gain, 'cause' | 'by' | 'more' | 'less'>;
}

const isAllowed = ({ denies, brokenLimits, allows }: Judged): boolean =>
  denies.length === 0 && brokenLimits.length === 0 && allows.length > 0;

export const egressPair = (more: Side, less: Side): EgressPair => {
  const rules = [more, less].flatMap(({ effective: { hosts, hostLimits } }) => [...hosts, ...hostLimits.flatMap((limit) => limit.hosts)]);
  const at = Map.groupBy(rules, ({ host }) => host);
  const cidrs = [more, less].flatMap(({ effective }) => cidrsOf(effective));
  const networkPorts = [...new Map(cidrs.flatMap(({ ports }) => (ports === undefined ? [] : [[ports.join(), ports] as const]))).values()];
  const judged = ({ decider }: Side, host: string, { port, http }: RequestClass) => decider.egress.judged(host, port, http);
  return {
    more,
    less,
    fresh: freshPort([...rules, ...cidrs].map(({ ports }) => ports)),
    networkPorts,
    keys: [...at.keys()],
    rulesAt: (key) => at.get(key) ?? [],
    gain: (host, request) => {
      const has = judged(more, host, request);
      if (!isAllowed(has)) return { public: false, private: false };
      const had = judged(less, host, request);
      const before = less.starts && isAllowed(had);
      return { public: !before, private: has.private && !(before && had.private) };
    },
    shared: (host, request) => less.starts && isAllowed(judged(more, host, request)) && isAllowed(judged(less, host, request)),
    explained: (host, request) => {
      const [has, had] = [judged(more, host, request), judged(less, host, request)];
      if (!less.starts || !isAllowed(had)) return difference(judge(has), judge(had), less);
      // Both allow it, but only one at private addresses too.
      const by = [...more.effective.hosts, ...more.effective.cidrs].find(
        (rule) => rule.effect === 'allow' && rule.private && has.allows.includes(rule.origin),
      );
      const limited = had.allows.some((origin) =>
        [...less.effective.hosts, ...less.effective.cidrs].some((rule) => rule.private && rule.origin === origin),
      );
      return {
        cause: limited ? 'limit' : 'allow',
        by: limited ? less.effective.hostLimits.find(({ boundsManner }) => boundsManner)?.origin : by?.origin,
        more: 'private addresses too',
        less: 'public addresses only',
      };
    },
  };
};
