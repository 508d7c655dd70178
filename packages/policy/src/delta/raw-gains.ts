/** What both sides may reach, and only one with whatever bytes it likes: a forward where there was a host for TLS. */
import { explainEgress } from '../explain.ts';
import type { Gain } from './entry.ts';
import { difference, type Side } from './side.ts';

export const rawGains = (more: Side, less: Side): readonly Gain[] => {
  const forwards = more.effective.hosts.filter(({ raw, effect }) => raw === true && effect === 'allow');
  const targets = new Map(forwards.flatMap(({ host, ports }) => (ports ?? []).map((port) => [`${host}:${port}`, { host, port }])));
  return [...targets].flatMap(([target, { host, port }]): Gain[] => {
    const has = explainEgress(more.decider.egress, host, port);
    const had = explainEgress(less.decider.egress, host, port);
    // What cannot be reached at all is told as a host.
    if (!has.raw || had.raw || had.verdict === 'denied' || !less.starts) return [];
    return [
      {
        category: 'network.host',
        target,
        what: 'reachable with whatever bytes, not TLS for that host alone',
        ...difference(has, had, less),
      },
    ];
  });
};
