/** Addresses that one side can reach and the other cannot: asked for by number, or led to by names that both sides allow. */
import type { CidrRule, RuleOrigin } from '../effective.ts';
import { addressText, cidrsOf, cut, lies, spanOfAddress, spanOfNetwork, spansText, type Span } from './address-spans.ts';
import type { EgressPair } from './egress-pair.ts';
import type { Gain } from './entry.ts';
import { hostEntries, portsText } from './host-gains.ts';
import { requestClasses, type RequestClass } from './request-classes.ts';
import type { Side } from './side.ts';

const entryKey = ({ cidr, except, ports, private: isPrivate, effect }: CidrRule): string =>
  JSON.stringify([cidr, [...except].sort(), ports === undefined ? null : ports.toSorted((a, b) => a - b), isPrivate, effect]);
/** What limits say of addresses that no rule names by itself. */
const limitKeys = ({ effective: { cidrLimits, hostLimits } }: Side): ReadonlySet<string> => {
  const keyOf = (cidrs: readonly CidrRule[], ...more: readonly unknown[]): string =>
    JSON.stringify([[...new Set(cidrs.map(entryKey))].sort(), ...more]);
  return new Set([
    ...cidrLimits.map(({ cidrs }) => keyOf(cidrs)),
    ...hostLimits.map(({ cidrs = [], boundsManner }) => keyOf(cidrs, 'by name', boundsManner)),
  ]);
};

/** Where both sides' rules about networks may differ: everywhere, or in these networks. */
const differing = (more: Side, less: Side): 'everywhere' | readonly Span[] => {
  if (!less.starts || limitKeys(more).symmetricDifference(limitKeys(less)).size > 0) return 'everywhere';
  const [a, b] = [new Set(more.effective.cidrs.map(entryKey)), new Set(less.effective.cidrs.map(entryKey))];
  return [...more.effective.cidrs, ...less.effective.cidrs]
    .filter((rule) => !a.has(entryKey(rule)) || !b.has(entryKey(rule)))
    .map(({ cidr }) => spanOfNetwork(cidr));
};

/** Addresses that names may be led to by the one side and not by the other. */
const ledTo = ({ more, less }: EgressPair, address: string, port: number): { readonly by: RuleOrigin | undefined } | undefined => {
  if (more.decider.egress.addressStops(address, port).length > 0) return undefined;
  const [by] = less.decider.egress.addressStops(address, port);
  return by === undefined ? undefined : { by };
};

interface Found {
  readonly gain: Omit<Gain, 'target'>;
  readonly spans: Span[];
  readonly requests: RequestClass[];
}

/** @param shared ports at which both sides allow some name */
export const addressGains = (pair: EgressPair, shared: ReadonlySet<number>): readonly Gain[] => {
  const { more, less } = pair;
  const networks = [more, less].flatMap(({ effective }) => cidrsOf(effective)).flatMap(({ cidr, except }) => [cidr, ...except]);
  const literals = pair.keys.flatMap((key) => spanOfAddress(key) ?? []);
  const single = new Map(literals.map((span) => [addressText({ bits: span.bits, value: span.first }), span]));
  const where = differing(more, less);
  const spans = where !== 'everywhere' && where.length === 0 ? [] : cut([...networks.map(spanOfNetwork), ...literals]);
  const touched = where === 'everywhere' ? spans : spans.filter((span) => where.some((network) => lies(span, network)));
  const ofNetworks = requestClasses([], pair.networkPorts, pair.fresh);
  const named = new Set(pair.networkPorts.flat());
  /** Classes with a port at which names lead somewhere. */
  const leading = new Set(
    ofNetworks.filter((request) => [...shared].some((port) => request.ports.includes(port) || (request.other && !named.has(port)))),
  );
  const limits = new Set(less.effective.cidrLimits.map(({ origin }) => origin));
  const found = new Map<string, Found>();
  const add = (span: Span, request: RequestClass, gain: Omit<Gain, 'target'>): void => {
    const key = `${gain.what} ${gain.cause} ${gain.by?.rule ?? ''}`;
    const known = found.get(key);
    if (known === undefined) return void found.set(key, { gain, spans: [span], requests: [request] });
    if (known.spans.at(-1) !== span) known.spans.push(span);
    known.requests.push(request);
  };
  for (const span of touched) {
    const address = addressText({ bits: span.bits, value: span.first });
    for (const request of ofNetworks) {
      const reach = single.has(address) ? undefined : pair.gain(address, request);
      if (reach !== undefined && (reach.public || reach.private)) {
        const what = reach.public
          ? `reachable by number${reach.private ? ', as a private address too' : ''}`
          : 'reachable as a private address';
        add(span, request, { category: 'network.address', what, ...pair.explained(address, request) });
      }
      const led = leading.has(request) ? ledTo(pair, address, request.port) : undefined;
      if (led === undefined) continue;
      const { by } = led;
      add(span, request, {
        category: 'network.address',
        what: 'reachable through names that lead there',
        cause: by !== undefined && limits.has(by) ? 'limit' : 'deny',
        by,
        more: 'no rule about networks stops it',
        less: `stopped by rule ${by?.rule ?? ''} of ${by?.policy ?? ''}`,
      });
    }
  }
  const byRange = [...found.values()].map(({ gain, spans: where, requests }) => ({
    ...gain,
    target: `${spansText(where)}:${portsText(requests, ofNetworks)}`,
  }));
  const byAddress = [...single.keys()].flatMap((address) =>
    hostEntries(
      pair,
      {
        key: address.includes(':') ? `[${address}]` : address,
        host: address,
        category: 'network.address',
        classes: requestClasses(pair.rulesAt(address), pair.networkPorts, pair.fresh),
      },
      (request) => pair.gain(address, request),
    ),
  );
  return [...byRange, ...byAddress];
};
