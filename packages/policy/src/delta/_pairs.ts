/** Two sets of policies of which the second is the first with one change, and the slow obvious way to see what the second can do beyond the first. For laws only. */
import fc from 'fast-check';
import { arbitraryPolicies, arbitrarySpec, policyOf } from '../_arbitrary-policy.ts';
import { allowedOf, beyond } from '../_asked.ts';
import { createDecider } from '../decide/decider.ts';
import { EXPIRIES, ISOLATIONS, PRIVACY, UNCONTAINED, type AppliedPolicy, type EffectivePolicy } from '../effective.ts';

type Spec = AppliedPolicy['document']['spec'];
export type Pair = readonly [before: readonly AppliedPolicy[], after: readonly AppliedPolicy[]];

const respec = (policy: AppliedPolicy, spec: Spec): AppliedPolicy => ({ ...policy, document: { ...policy.document, spec } });

/** A policy replaced, dropped, added, switched, or with one section of another. */
export const somePair: fc.Arbitrary<Pair> = fc
  .record({
    before: arbitraryPolicies,
    spec: arbitrarySpec,
    at: fc.nat(3),
    change: fc.constantFrom('replace', 'drop', 'add', 'audit', 'allow', 'deny', 'limit', 'match', 'statements', 'nothing'),
  })
  .map(({ before, spec, at, change }): Pair => {
    const place = before.length === 0 ? 0 : at % before.length;
    const each = (edit: (old: Spec) => Spec): Pair => [
      before,
      before.map((policy, i) => (i === place ? respec(policy, edit(policy.document.spec)) : policy)),
    ];
    const section = (key: 'allow' | 'deny' | 'limit' | 'match'): Pair =>
      each(({ [key]: _old, ...rest }) => ({ ...rest, ...(spec[key] !== undefined && { [key]: spec[key] }) }));
    switch (change) {
      case 'replace':
        return each(() => spec);
      case 'drop':
        return [before, before.filter((_, i) => i !== place)];
      case 'add':
        return [before, [...before, policyOf(9, spec)]];
      case 'audit':
        return each((old) => ({ ...old, mode: old.mode === 'audit' ? 'enforce' : 'audit' }));
      case 'statements':
        return each(({ allow, deny, limit, match, mode }) => ({
          ...spec,
          ...(mode !== undefined && { mode }),
          ...(match !== undefined && { match }),
          ...(allow !== undefined && { allow }),
          ...(deny !== undefined && { deny }),
          ...(limit !== undefined && { limit }),
        }));
      case 'allow':
      case 'deny':
      case 'limit':
      case 'match':
        return section(change);
      case 'nothing':
        return [before, before];
    }
  });

const onlyPlaces = ({ match, allow, deny, limit }: Spec): Spec => ({
  ...(match !== undefined && { match }),
  ...(allow?.filesystem !== undefined && { allow: { filesystem: allow.filesystem } }),
  deny: {
    ...(deny?.filesystem !== undefined && { filesystem: deny.filesystem }),
    ...(deny?.workspaces !== undefined && { workspaces: deny.workspaces }),
  },
  limit: {
    ...(limit?.filesystem !== undefined && { filesystem: limit.filesystem }),
    ...(limit?.workspaces !== undefined && { workspaces: limit.workspaces }),
  },
});

const onlyNetwork = ({ allow, deny, limit }: Spec): Spec => ({
  ...(allow?.network !== undefined && { allow: { network: allow.network } }),
  ...(deny?.network !== undefined && { deny: { network: deny.network } }),
  ...(limit?.network !== undefined && { limit: { network: limit.network } }),
});

const reduced = (reduce: (spec: Spec) => Spec): fc.Arbitrary<Pair> =>
  somePair.map(([before, after]): Pair => {
    const bare = (policies: readonly AppliedPolicy[]): readonly AppliedPolicy[] =>
      policies.map((policy) => respec(policy, reduce(policy.document.spec)));
    return [bare(before), bare(after)];
  });

/** The same of places alone, where the meaning of variables counts, and of hosts and networks alone. */
export const somePlacesPair: fc.Arbitrary<Pair> = reduced(onlyPlaces);
export const someNetworkPair: fc.Arbitrary<Pair> = reduced(onlyNetwork);

const NAMES = ['example.com', 'api.example.com', 'v2.api.example.com', 'other.test', 'intranet.test'];
const ADDRESSES = ['8.8.8.8', '8.8.8.9', '8.8.9.1', '9.9.9.9', '9.9.1.1', '9.9.2.2', '10.1.2.3', '198.18.0.1', '2600::1', '2601::1'];

/** Names together with the address that they lead to, as the proxy dials them. */
const dialledOf = (effective: EffectivePolicy): ReadonlySet<string> => {
  const decider = createDecider(effective);
  return new Set(
    NAMES.flatMap((name) =>
      [443, 80, 22].flatMap((port) =>
        ADDRESSES.filter((address) => decider.egress.addressStops(address, port).length === 0).flatMap((address) => {
          if (decider.host(name, port).verdict !== 'allowed') return [];
          const dial = `${name} at ${address}:${port}`;
          return decider.egress.judged(name, port).private ? [dial, `${dial} private`] : [dial];
        }),
      ),
    ),
  );
};

/** Statements of `after` that are softer than those of `before`. */
const softened = (before: EffectivePolicy, after: EffectivePolicy): readonly string[] => {
  const rank = (order: readonly string[], value: string): number => order.indexOf(value);
  const [was, is] = [before.settings, after.settings];
  const always = [
    rank(EXPIRIES, is.onExpiry) < rank(EXPIRIES, was.onExpiry) ? 'expiry' : '',
    is.graceMs > was.graceMs ? 'grace' : '',
    rank(UNCONTAINED, is.uncontained) < rank(UNCONTAINED, was.uncontained) ? 'uncontained' : '',
    ...(['paths', 'hosts', 'users'] as const).map((what) =>
      rank(PRIVACY[what], is.privacy[what]) < rank(PRIVACY[what], was.privacy[what]) ? `privacy.${what}` : '',
    ),
  ];
  if (after.refused !== undefined) return always.filter((text) => text !== '');
  if (before.refused !== undefined) return ['launch'];
  const resources = (['timeoutMs', 'memoryBytes', 'cpus', 'processes'] as const).map((key) =>
    (after.resources[key]?.value ?? Infinity) > (before.resources[key]?.value ?? Infinity) ? key : '',
  );
  const isolation = (settings: EffectivePolicy['settings']): number => rank(ISOLATIONS, settings.isolation?.value ?? 'process');
  return [
    ...always,
    ...resources,
    isolation(is) < isolation(was) ? 'isolation' : '',
    ...before.required.filter((control) => !after.required.includes(control)),
    after.workspace.allowed && !before.workspace.allowed ? 'workspace' : '',
  ].filter((text) => text !== '');
};

/** Identity is not refused by itself when nothing may start. */
const powerOf = (effective: EffectivePolicy): ReadonlySet<string> =>
  effective.refused === undefined ? new Set([...allowedOf(effective), ...dialledOf(effective)]) : new Set();

/** All that is sampled of what `after` can do and `before` cannot. */
export const sampledGains = (before: EffectivePolicy, after: EffectivePolicy): readonly string[] => [
  ...beyond(powerOf(after), powerOf(before)),
  ...softened(before, after),
];
