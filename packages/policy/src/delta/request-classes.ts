/** Requests to one host that no rule tells apart: one of each class stands for all of it. */
import type { HttpRequest } from '../decide/egress.ts';
import type { HostRule } from '../effective.ts';
import { hasPrefix } from '../match/url-path.ts';

export interface RequestClass {
  /** Named ports of the class, ascending. */
  readonly ports: readonly number[];
  /** Whether ports that no rule names belong to it. */
  readonly other: boolean;
  /** One port of it. */
  readonly port: number;
  /** A request in plain HTTP; absent: a tunnel. */
  readonly http: HttpRequest | undefined;
}

type Ports = readonly number[] | undefined;

/** Items by what a list of tests says of them. */
const bySignature = <T>(items: readonly T[], tests: readonly ((item: T) => boolean)[]): readonly (readonly T[])[] => {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const signature = tests.map((test) => (test(item) ? '1' : '0')).join('');
    const group = groups.get(signature);
    if (group === undefined) groups.set(signature, [item]);
    else group.push(item);
  }
  return [...groups.values()];
};

const distinct = <T>(values: readonly T[]): readonly T[] => [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];

/** A port that none of the lists names; undefined when they name all. */
export const freshPort = (lists: readonly Ports[]): number | undefined => {
  const named = new Set(lists.flatMap((ports) => ports ?? []));
  for (let port = 65_535; port > 0; port -= 1) if (!named.has(port)) return port;
  return undefined;
};

/** Ports of which each list holds all or none. @param fresh a port that stands for all that are not named */
export const portClasses = (
  lists: readonly Ports[],
  fresh: number | undefined,
): readonly Pick<RequestClass, 'ports' | 'other' | 'port'>[] => {
  const different = distinct(lists.filter((ports) => ports !== undefined));
  const sets = different.map((ports) => new Set(ports));
  const named = [...new Set(different.flat())].sort((a, b) => a - b);
  return bySignature(
    fresh === undefined ? named : [...named, fresh],
    sets.map((set) => (port) => set.has(port)),
  ).map((ports) => ({
    ports: ports.filter((port) => port !== fresh),
    other: fresh !== undefined && ports.includes(fresh),
    port: ports[0] ?? 0,
  }));
};

/** Begins paths that stand for all that no rule names. */
export const OTHER_PATH = '/~other';

/** A name that does not stand among others. */
const unlike = (stem: string, taken: (name: string) => boolean): string => {
  let name = stem;
  for (let i = 0; taken(name); i += 1) name = `${stem}${i}`;
  return name;
};

/** A tunnel, and where rules look into plain HTTP one request of each kind that they tell apart. */
const httpClasses = (rules: readonly HostRule[]): readonly (HttpRequest | undefined)[] => {
  const looking = rules.filter(({ methods, prefixes }) => methods !== undefined || prefixes !== undefined);
  if (looking.length === 0) return [undefined];
  const methodLists = distinct(looking.flatMap(({ methods }) => (methods === undefined ? [] : [methods])));
  const prefixLists = distinct(looking.flatMap(({ prefixes }) => (prefixes === undefined ? [] : [prefixes])));
  const methods = new Set(methodLists.flat());
  const prefixes = new Set(prefixLists.flat());
  const methodReps = bySignature(
    [...methods, unlike('OTHER', (name) => methods.has(name))],
    methodLists.map((list) => (method) => list.includes(method)),
  );
  // The deepest prefix that covers a path is covered by the same prefixes as the path.
  const pathReps = bySignature(
    [...prefixes, unlike(OTHER_PATH, (path) => [...prefixes].some((prefix) => prefix !== '/' && hasPrefix(path, prefix)))],
    prefixLists.map((list) => (path) => list.some((prefix) => hasPrefix(path, prefix))),
  );
  const requests = methodReps.flatMap(([method = '']) =>
    [undefined, ...pathReps.map(([path]) => path)].map((path): HttpRequest => ({ method, path })),
  );
  return [undefined, ...requests];
};

/** @param rules all that are about the host; @param also lists of ports that matter besides */
export const requestClasses = (rules: readonly HostRule[], also: readonly Ports[], fresh: number | undefined): readonly RequestClass[] => {
  const https = httpClasses(rules);
  return portClasses([...rules.map(({ ports }) => ports), ...also], fresh).flatMap((ports) => https.map((http) => ({ ...ports, http })));
};
