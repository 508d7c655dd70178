/**
 * Names that one side can reach and the other cannot: each name that is named, and for each pattern one name that only patterns cover. An allowed name is
 * power even where no address is left for it: name servers hear of it.
 */
import type { Gain } from './entry.ts';
import type { EgressPair, Reach } from './egress-pair.ts';
import { OTHER_PATH, requestClasses, type RequestClass } from './request-classes.ts';

export interface HostGains {
  readonly gains: readonly Gain[];
  /** Ports at which both sides allow some name: there it matters which addresses names may lead to. */
  readonly shared: ReadonlySet<number>;
}

const isAddress = (key: string): boolean => key.includes(':') || /^[0-9.]+$/.test(key);

/** What covers the names of a pattern, or the name: itself, then each wider pattern. */
const chain = (key: string): readonly string[] => {
  if (key === '*') return [key];
  const wider: string[] = [];
  for (let dot = key.indexOf('.', key.startsWith('*.') ? 2 : 0); dot !== -1; dot = key.indexOf('.', dot + 1))
    wider.push(`*${key.slice(dot)}`);
  return [key, ...wider, '*'];
};

/** A label that begins no name that is named. */
const freshLabel = (keys: readonly string[]): string => {
  const labels = new Set(keys.flatMap((key) => key.split('.')));
  let label = 'other';
  for (let i = 0; labels.has(label); i += 1) label = `other${i}`;
  return label;
};

/** Ports as told: `443`, `22,443`, `*` or `* but 22`. */
export const portsText = (gained: readonly RequestClass[], all: readonly RequestClass[]): string => {
  const ports = [...new Set(gained.flatMap((request) => request.ports))].sort((a, b) => a - b);
  if (!gained.some(({ other }) => other)) return ports.join(',');
  const kept = [...new Set(all.flatMap((request) => request.ports))].filter((port) => !ports.includes(port)).sort((a, b) => a - b);
  return kept.length === 0 ? '*' : `* but ${kept.join(',')}`;
};

/** What a request in plain HTTP is, as far as rules look. */
const httpText = (requests: readonly RequestClass[]): string => {
  const https = requests.flatMap(({ http }) => http ?? []);
  const methods = [...new Set(https.map(({ method }) => method))];
  const paths = [...new Set(https.flatMap(({ path }) => path ?? []))].filter((path) => !path.startsWith(OTHER_PATH));
  return https.length === 0 ? '' : ` in plain HTTP (${[methods.join(', '), paths.join(', ')].filter((text) => text !== '').join(' ')})`;
};

const covers = (wide: Reach, narrow: Reach): boolean => (wide.public || !narrow.public) && (wide.private || !narrow.private);

/** What is gained for one host, as few entries as there are reasons. Plain HTTP goes without saying where a tunnel is gained. */
export const hostEntries = (
  pair: EgressPair,
  { key, host, category, classes }: { key: string; host: string; category: Gain['category']; classes: readonly RequestClass[] },
  gainOf: (request: RequestClass) => Reach,
): readonly Gain[] => {
  const tunnels = new Map<number, Reach>();
  const groups = new Map<string, { readonly requests: RequestClass[]; readonly gain: Omit<Gain, 'target'> }>();
  for (const request of classes) {
    const reach = gainOf(request);
    if (!reach.public && !reach.private) continue;
    const tunnel = tunnels.get(request.port);
    if (request.http === undefined) tunnels.set(request.port, reach);
    else if (tunnel !== undefined && covers(tunnel, reach)) continue;
    const what = reach.private ? (reach.public ? ', at private addresses too' : ' at private addresses') : '';
    const gain = { category, what, ...pair.explained(host, request) };
    const group = `${request.http === undefined ? 'tunnel' : 'http'} ${what} ${gain.cause} ${gain.by?.rule ?? ''}`;
    const known = groups.get(group);
    if (known === undefined) groups.set(group, { requests: [request], gain });
    else known.requests.push(request);
  }
  return [...groups.values()].map(({ requests, gain }) => ({
    ...gain,
    target: `${key}:${portsText(requests, classes)}`,
    what: `reachable${httpText(requests)}${gain.what}`,
  }));
};

export const hostGains = (pair: EgressPair): HostGains => {
  const keys = pair.keys.filter((key) => !isAddress(key));
  const named = new Set(keys);
  const fresh = freshLabel(keys);
  const shared = new Set<number>();
  /** A name that the pattern covers, and of all that are named only it and wider ones. */
  const nameOf = (key: string): string => (key === '*' ? `${fresh}.${fresh}` : key.startsWith('*.') ? `${fresh}${key.slice(1)}` : key);
  const gains = keys.flatMap((key) => {
    const host = nameOf(key);
    const covering = chain(key);
    const classes = requestClasses(
      covering.flatMap((pattern) => pair.rulesAt(pattern)),
      pair.networkPorts,
      pair.fresh,
    );
    for (const request of classes) if (pair.shared(host, request)) for (const port of [...request.ports, request.port]) shared.add(port);
    const wider = covering.slice(1).find((pattern) => named.has(pattern));
    return hostEntries(pair, { key, host, category: 'network.host', classes }, (request) => {
      const own = pair.gain(host, request);
      const above = wider === undefined ? { public: false, private: false } : pair.gain(nameOf(wider), request);
      return { public: own.public && !above.public, private: own.private && !above.private };
    });
  });
  return { gains, shared };
};
