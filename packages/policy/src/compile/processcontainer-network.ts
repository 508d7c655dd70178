/** The way of a Windows process container to its egress proxy, which Windows does not give by itself. */
import type { BackendCapability, ContainerRequest, IsolationTier } from '@microsoft/mxc-sdk/v1';
import type { Decider } from '../decide/decider.ts';
import { allows, proxyUrl, type Start } from './backend.ts';
import type { Endpoint } from './on-host.ts';

export interface WindowsEndpoint extends Endpoint {
  readonly start: Start;
  readonly tier: IsolationTier;
  /** What the SDK's discovery reports of this host. */
  readonly capabilities: readonly BackendCapability[];
  /** Where the egress proxy listens for this run alone, and its package family or container profile, by which Windows tells it from others. */
  readonly proxy?: { readonly port: number; readonly peer?: string };
}

/** How the run reaches its egress proxy, or why it cannot. */
export type Way = { readonly to: number; readonly peer: string | undefined } | { readonly missing: string };

/**
 * Windows lets a container reach a proxy only together with the private network, both ways; and one without an identity only together with the host's loopback.
 * Neither is opened against the policy: the run has no network then.
 */
export const wayOut = (decider: Decider, { tier, capabilities, proxy }: WindowsEndpoint): Way => {
  if (tier !== 'base-container') return { missing: `the tier ${tier} cannot hold a run to a proxy` };
  if (proxy === undefined) return { missing: 'the endpoint has no egress proxy for this run' };
  if (!capabilities.includes('proxyEnforcement')) return { missing: 'this Windows cannot hold a run to a proxy' };
  if (!allows(decider, 'network.ingress'))
    return { missing: 'Windows opens the way to a proxy only together with the private network, both ways: allow network.ingress too' };
  if (proxy.peer !== undefined) return { to: proxy.port, peer: proxy.peer };
  if (!capabilities.includes('identitylessLoopbackProxy') || !allows(decider, 'network.host-loopback'))
    return {
      missing: "Windows opens the way to a proxy without an identity only together with the host's loopback: give the proxy an identity",
    };
  return { to: proxy.port, peer: undefined };
};

export const networkOf = (decider: Decider, way: Way, tier: IsolationTier): NonNullable<ContainerRequest['network']> => {
  const reachesProxy = 'to' in way;
  return {
    egress: { default: 'deny' },
    ingress: {
      // Weaker tiers have one capability for both directions, and refuse to open it for one.
      default: tier === 'base-container' && allows(decider, 'network.ingress') ? 'allow' : 'deny',
      hostLoopback: reachesProxy && way.peer === undefined ? 'allow' : 'deny',
    },
    ...(reachesProxy && { runtimeConfig: { networkProxy: proxyUrl(way.to) } }),
  };
};
