/** Effective policy ∩ manifest: one more limit of each kind. What the manifest does not ask for is outside, whoever allows it. */
import { hostRule } from '../document/network-rules.ts';
import { switches } from '../document/prepare.ts';
import { ruleId } from '../document/rules.ts';
import { expandPath, parsePathText } from '../document/variables.ts';
import { RIGHTS, type EffectivePolicy, type HostRule, type PathVariables, type RuleOrigin } from '../effective.ts';
import { hostMatches } from '../match/host.ts';
import type { AgentManifest, Needs } from './schema.ts';

const originOf = ({ metadata: { name } }: AgentManifest, section: string, content: unknown): RuleOrigin => ({
  rule: ruleId(`manifest ${name}`, 'limit', section, content),
  source: 'manifest',
  policy: name,
  revision: 1,
  because: [],
});

/** Both sides of the manifest: what is optional may be used where policies grant it. */
const both = <T>(
  { needs: { required = {}, optional = {} } }: AgentManifest,
  of: (side: Needs) => readonly T[] | undefined,
): readonly T[] => [...(of(required) ?? []), ...(of(optional) ?? [])];

/** Provenance of what the manifest says about hosts. */
export const hostsOrigin = (manifest: AgentManifest): RuleOrigin =>
  originOf(
    manifest,
    'network.hosts',
    both(manifest, ({ network }) => network?.hosts),
  );

/** A workspace that no policy permits is none for a manifest either. */
export const knownVariables = ({ workspace }: EffectivePolicy, variables: PathVariables): PathVariables =>
  workspace.allowed ? variables : { ...variables, workspace: undefined };

/** Adds one that is not there yet: applying a manifest twice is applying it once. */
const also = <T extends { readonly origin: RuleOrigin }>(limits: readonly T[], added: T): readonly T[] =>
  limits.some((limit) => limit.origin.source === 'manifest' && JSON.stringify(limit) === JSON.stringify(added))
    ? limits
    : [...limits, added];

/**
 * Pure, and total for what parseManifest returns. The built-in system folders and the private tmp stay, as under every limit; resources and
 * settings are the policy's.
 * @param variables those with which the policy was resolved
 */
export const applyManifest = (effective: EffectivePolicy, manifest: AgentManifest, variables: PathVariables): EffectivePolicy => {
  const known = knownVariables(effective, variables);
  const expanded = (texts: readonly string[]): readonly string[] =>
    texts.flatMap((text) => expandPath(parsePathText(text), known, effective.subject.os));
  const write = both(manifest, ({ filesystem }) => filesystem?.write);
  const read = [...both(manifest, ({ filesystem }) => filesystem?.read), ...write]; // a limit of reading bounds writing too
  const names = both(manifest, ({ environment }) => environment);
  const rights = new Set(both(manifest, switches).flatMap(({ named }) => named));
  const permits = RIGHTS.filter((right) => rights.has(right));
  const origin = hostsOrigin(manifest);
  // A host without ports means what it means in an allow, not what it means in a limit.
  const hosts = both(manifest, ({ network }) => network?.hosts).map((entry): HostRule => ({
    ...hostRule(entry, 'allow', origin),
    effect: 'limit',
  }));
  const reading = { access: 'read', paths: expanded(read), origin: originOf(manifest, 'filesystem.read', read) } as const;
  const writing = { access: 'write', paths: expanded(write), origin: originOf(manifest, 'filesystem.write', write) } as const;
  return {
    ...effective,
    pathLimits: also(also(effective.pathLimits, reading), writing),
    hostLimits: also(effective.hostLimits, { hosts, boundsManner: true, origin }),
    rightLimits: also(effective.rightLimits, { bounds: RIGHTS, permits, origin: originOf(manifest, 'rights', permits) }),
    environmentLimits: also(effective.environmentLimits, { names, origin: originOf(manifest, 'environment', names) }),
    identity: effective.identity.filter(({ host }) => hosts.some((rule) => hostMatches(rule.host, host))),
  };
};
