/** Hosts and networks of an effective policy as an index: a decision looks at the name and its suffixes, not at every rule. */
import type { ReachRules } from '../egress-rules.ts';
import type { CidrRule, HostRule, RuleOrigin } from '../effective.ts';
import { carriedAddress } from '../match/address.ts';
import { addressNumber, contains, parseCidr, type AddressNumber, type Network } from '../match/cidr.ts';
import { hasPrefix } from '../match/url-path.ts';
import type { Judged } from './judge.ts';

/** A request that the proxy can read, in plain HTTP. A tunnel has none. */
export interface HttpRequest {
  readonly method: string;
  /** Canonical; undefined for one that servers may read differently: no prefix allows it, and every denied one may be meant. */
  readonly path: string | undefined;
}

/** How what is allowed may be done. */
export interface Manner {
  /** Whether the rules that allow it permit private addresses. */
  readonly private: boolean;
  /** Whether it may carry what is not TLS, also at port 443. */
  readonly raw: boolean;
  /** Whether one of the rules that allow it names exactly this host. */
  readonly exact: boolean;
}

export interface EgressIndex {
  /** @param host canonical */
  allows(host: string, port: number, http?: HttpRequest): boolean;
  judged(host: string, port: number, http?: HttpRequest): Judged & Manner;
  /** What stops a name from being reached at an address that it led to: networks that are denied, or that a limit leaves out. */
  addressStops(address: string, port: number): readonly RuleOrigin[];
}

const coversPort = (ports: readonly number[] | undefined, port: number): boolean => ports === undefined || ports.includes(port);

/** An allow or limit with methods or paths is about plain HTTP and opens no tunnel; a deny with them closes the whole tunnel, since nobody sees what is inside. */
const coversRequest = ({ methods, prefixes, effect }: HostRule, http: HttpRequest | undefined): boolean => {
  if (methods === undefined && prefixes === undefined) return true;
  if (http === undefined) return effect === 'deny';
  const { method, path } = http;
  const below = prefixes === undefined || (path === undefined ? effect === 'deny' : prefixes.some((prefix) => hasPrefix(path, prefix)));
  return below && (methods === undefined || methods.includes(method));
};

interface Entry {
  readonly rule: HostRule;
  /** Position of the limit that the entry belongs to. */
  readonly limit: number;
}

interface Net {
  readonly rule: CidrRule;
  readonly network: Network;
  readonly except: readonly Network[];
}

const netOf = (rule: CidrRule): Net => ({ rule, network: parseCidr(rule.cidr), except: rule.except.map(parseCidr) });
const covers = ({ rule, network, except }: Net, address: AddressNumber, port: number): boolean =>
  coversPort(rule.ports, port) && contains(network, address) && !except.some((hole) => contains(hole, address));

/** A denied network is denied in whatever form a translator (NAT64, 6to4) makes the address of. An allow or a limit is for the form that it names. */
const coversIn = (net: Net, forms: readonly AddressNumber[], port: number): boolean =>
  (net.rule.effect === 'deny' ? forms : forms.slice(0, 1)).some((form) => covers(net, form, port));
/** The number of an address, and of the one that it carries. */
const formsOf = (address: string): readonly AddressNumber[] =>
  [address, carriedAddress(address)].flatMap((form) => (form === undefined ? [] : (addressNumber(form) ?? [])));

/** The keys under which rules for a host are found: itself, each suffix with `*.`, and `*` for a name. Most specific first. */
const keysOf = (host: string, isName: boolean): string[] => {
  const keys = [host];
  if (!isName) return keys;
  for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) keys.push(`*${host.slice(dot)}`);
  keys.push('*');
  return keys;
};

export const indexEgress = ({ hosts, hostLimits, cidrs, cidrLimits }: ReachRules): EgressIndex => {
  const rules = new Map<string, HostRule[]>();
  const limits = new Map<string, Entry[]>();
  const add = <T>(map: Map<string, T[]>, key: string, item: T): void => {
    const list = map.get(key);
    if (list === undefined) map.set(key, [item]);
    else list.push(item);
  };
  for (const rule of hosts) add(rules, rule.host, rule);
  hostLimits.forEach((limit, i) => {
    for (const rule of limit.hosts) add(limits, rule.host, { rule, limit: i });
  });
  const nets = cidrs.map(netOf);
  const netLimits = cidrLimits.map((limit) => ({ nets: limit.cidrs.map(netOf), origin: limit.origin }));
  const permittedNets = hostLimits.flatMap((limit, i) => (limit.cidrs ?? []).map((rule) => ({ limit: i, net: netOf(rule) })));
  const hasNets = nets.length > 0 || netLimits.length > 0;

  /** Canonical hosts: an address has a colon, or nothing but digits and dots. */
  const numberOf = (host: string): AddressNumber | undefined =>
    host.includes(':') || /^[0-9.]+$/.test(host) ? addressNumber(host) : undefined;

  const look = (host: string, port: number, http: HttpRequest | undefined) => {
    const number = numberOf(host);
    const found: HostRule[] = [];
    const permitted = new Map<number, Pick<Manner, 'private' | 'raw'>>();
    const permit = (limit: number, rule: HostRule | CidrRule): void => {
      const before = permitted.get(limit);
      permitted.set(limit, { private: rule.private || before?.private === true, raw: ('raw' in rule && rule.raw) || before?.raw === true });
    };
    for (const key of keysOf(host, number === undefined)) {
      for (const rule of rules.get(key) ?? []) if (coversPort(rule.ports, port) && coversRequest(rule, http)) found.push(rule);
      for (const { rule, limit } of limits.get(key) ?? [])
        if (coversPort(rule.ports, port) && coversRequest(rule, http)) permit(limit, rule);
    }
    if (number !== undefined) for (const { limit, net } of permittedNets) if (covers(net, number, port)) permit(limit, net.rule);
    const matching =
      number === undefined || !hasNets ? [] : nets.filter((net) => coversIn(net, formsOf(host), port)).map(({ rule }) => rule);
    const broken = hostLimits.filter((_, i) => !permitted.has(i)).map(({ origin }) => origin);
    if (number !== undefined)
      for (const { nets: inside, origin } of netLimits) if (!inside.some((net) => covers(net, number, port))) broken.push(origin);
    const within = (manner: 'private' | 'raw'): boolean =>
      hostLimits.every((limit, i) => !limit.boundsManner || permitted.get(i)?.[manner] === true);
    return { all: [...found, ...matching], broken, within };
  };

  return {
    allows: (host, port, http) => {
      const { all, broken } = look(host, port, http);
      return broken.length === 0 && all.length > 0 && all.every(({ effect }) => effect === 'allow');
    },
    judged: (host, port, http) => {
      const { all, broken, within } = look(host, port, http);
      const allows = all.filter(({ effect }) => effect === 'allow');
      const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      return {
        target,
        denies: all.filter(({ effect }) => effect === 'deny').map(({ origin }) => origin),
        brokenLimits: broken,
        allows: allows.map(({ origin }) => origin),
        private: allows.some((rule) => rule.private) && within('private'),
        raw: allows.some((rule) => 'raw' in rule && rule.raw) && within('raw'),
        exact: allows.some((rule) => 'host' in rule && rule.host === host),
      };
    },
    addressStops: (address, port) => {
      if (!hasNets) return [];
      const forms = formsOf(address);
      const [number] = forms;
      if (number === undefined) return [];
      const denied = nets
        .filter(({ rule }) => rule.effect === 'deny')
        .filter((net) => coversIn(net, forms, port))
        .map(({ rule }) => rule.origin);
      const outside = netLimits.filter((limit) => !limit.nets.some((net) => covers(net, number, port))).map(({ origin }) => origin);
      return [...denied, ...outside];
    },
  };
};
