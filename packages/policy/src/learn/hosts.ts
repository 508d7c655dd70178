/** Hosts and ports that were used, as rules: exact names, or all names below a registrable domain where many of them were used at one port. */
import type { HostEntry } from '../document/schema.ts';
import { isPublicSuffix } from '../match/public-suffix.ts';
import type { Seen } from './tally.ts';
import type { LearnOptions } from './proposal.ts';

export interface NetworkAttempt extends Seen {
  /** Canonical. */
  readonly host: string;
  readonly port: number;
  /** Whether it led, or would have led, to a private address. */
  readonly private: boolean;
}

const MAX_PORTS = 64;
const isAddress = (host: string): boolean => host.includes(':') || /^[0-9.]+$/.test(host);
const above = (name: string): string => name.slice(name.indexOf('.') + 1);

/** The name that somebody registered below a public suffix; undefined for a suffix itself and for addresses. */
export const registrable = (host: string): string | undefined => {
  if (isAddress(host) || isPublicSuffix(host)) return undefined;
  for (let name = host; name.includes('.'); name = above(name)) if (isPublicSuffix(above(name))) return name;
  return undefined;
};

/** Domains below which strangers get names: those with a registrable name below them. */
const shared = (domains: ReadonlySet<string>): ReadonlySet<string> =>
  new Set(
    [...domains].flatMap((domain) => {
      const parents: string[] = [];
      for (let name = domain; name.includes('.'); name = above(name)) parents.push(above(name));
      return parents;
    }),
  );

/** @returns the pattern under which each attempt is proposed, by `host port` */
const patterns = (attempts: readonly NetworkAttempt[], minSubdomains: number): ReadonlyMap<string, string> => {
  const open = attempts.filter((attempt) => !attempt.private);
  const domainOf = new Map(open.map(({ host }) => [host, registrable(host)]));
  const crowded = shared(new Set([...domainOf.values()].filter((domain) => domain !== undefined)));
  const below = open.filter(({ host }) => domainOf.get(host) !== undefined && domainOf.get(host) !== host);
  const groups = Map.groupBy(below, ({ host, port }) => `${domainOf.get(host)} ${port}`);
  return new Map(
    [...groups.values()].flatMap((group) => {
      const domain = domainOf.get(group[0]?.host ?? '') ?? '';
      const names = new Set(group.map(({ host }) => host));
      if (names.size < minSubdomains || crowded.has(domain)) return [];
      return group.map(({ host, port }): [string, string] => [`${host} ${port}`, `*.${domain}`]);
    }),
  );
};

/** A rule's host with one of its ports, and the attempts that ask for it. */
interface Use {
  readonly host: string;
  readonly private: boolean;
  readonly port: number;
  readonly attempts: readonly NetworkAttempt[];
}

const chunks = <T>(list: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));

/** @returns entries, each of whose ports enough devices used; and the attempts that are in none */
export const proposeHosts = (
  attempts: readonly NetworkAttempt[],
  { minDevices, minSubdomains }: LearnOptions,
): { readonly entries: readonly HostEntry[]; readonly tooFew: readonly NetworkAttempt[] } => {
  const pattern = patterns(attempts, minSubdomains);
  const uses = [
    ...Map.groupBy(attempts, (attempt) => {
      const { host, port } = attempt;
      return JSON.stringify([attempt.private ? host : (pattern.get(`${host} ${port}`) ?? host), attempt.private, port]);
    }),
  ].map(([key, asking]): Use => {
    const [host, isPrivate, port] = JSON.parse(key) as [string, boolean, number];
    return { host, private: isPrivate, port, attempts: asking };
  });
  const enough = ({ attempts: asking }: Use): boolean => new Set(asking.flatMap(({ devices }) => [...devices])).size >= minDevices;
  const byHost = Map.groupBy(uses.filter(enough), (use) => JSON.stringify([use.host, use.private]));
  return {
    entries: [...byHost.values()].flatMap((group) =>
      chunks(
        group.map(({ port }) => port).sort((a, b) => a - b),
        MAX_PORTS,
      ).map((ports): HostEntry => ({
        host: group[0]?.host ?? '',
        ports: [...ports],
        ...(group[0]?.private === true && { private: true }),
      })),
    ),
    tooFew: uses.filter((use) => !enough(use)).flatMap((use) => use.attempts),
  };
};
