/** What the backends share that run a Linux container without a way to an egress proxy: no network at all, and no desktop. */
import type { ContainerRequest } from '@microsoft/mxc-sdk/v1';
import type { Decider } from '../decide/decider.ts';
import { byRight, CLIPBOARD, enforced, unavailable, type Findings } from './backend.ts';
import { unconnected } from './network.ts';

type Closed = Pick<
  Findings,
  | 'network.hosts'
  | 'network.cidrs'
  | 'network.private'
  | 'network.http'
  | 'resources.network'
  | 'network.ingress'
  | 'network.host-loopback'
  | 'ui.windows'
  | 'ui.clipboard'
  | 'ui.input-injection'
>;

export const isolatedNetwork = (): NonNullable<ContainerRequest['network']> => ({
  egress: { default: 'deny' },
  ingress: { default: 'deny', hostLoopback: 'deny' },
});

/** @param why the backend can give no filtered network, so that it gives none */
export const closed = (decider: Decider, why: string): Closed => {
  const absent = (what: string) => ({ denied: enforced(what), allowed: unavailable(`it is allowed, but ${what}`) });
  const network = absent('the container has no network but a loopback of its own');
  const desktop = absent('no desktop is reachable from the container');
  return {
    ...unconnected(decider.effective, why),
    'network.ingress': byRight(decider, ['network.ingress'], network),
    'network.host-loopback': byRight(decider, ['network.host-loopback'], network),
    'ui.windows': byRight(decider, ['ui.windows'], desktop),
    'ui.clipboard': byRight(decider, CLIPBOARD, desktop),
    'ui.input-injection': byRight(decider, ['ui.input-injection'], desktop),
  };
};
