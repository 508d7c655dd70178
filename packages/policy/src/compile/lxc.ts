/**
 * Effective policy to a Linux container system on Linux. Its workload is root in the container: it can undo mounts, and packets of its own making pass by the filter. So it
 * is given no network, and nothing about files counts as truly enforced.
 */
import type { ContainerRequest } from '@microsoft/mxc-sdk/v1';
import { createDecider, type Decider } from '../decide/decider.ts';
import type { EffectivePolicy } from '../effective.ts';
import type { LxcPlan } from '../launch-plan.ts';
import {
  approximated,
  compiled,
  enforced,
  isolationOf,
  limited,
  limitsOf,
  startOf,
  unenforced,
  type Findings,
  type Start,
} from './backend.ts';
import { closed, isolatedNetwork } from './container.ts';
import { grantsOf } from './grants.ts';
import { onHost, type Endpoint, type HostGrants } from './on-host.ts';

export interface LxcEndpoint extends Endpoint {
  readonly start: Start;
  readonly distribution: string;
  readonly release: string;
}

const controlsOf = (decider: Decider, host: HostGrants): Findings => {
  const { effective } = decider;
  const { resources } = effective;
  const undone = (what: string) => approximated(`${what}; but the workload is root in its container and can undo a mount`);
  const none = (what: string) => () => unenforced(`the backend sets no limit of ${what}`);
  return {
    'filesystem.read': undone('only what is granted is mounted into the container'),
    'filesystem.write': undone('what is not granted for writing is mounted read-only or not at all'),
    'filesystem.deny':
      host.hidden.length + host.unguarded.hidden.length > 0
        ? undone('hidden places are masked')
        : enforced('nothing granted holds a hidden place'),
    'filesystem.protect':
      host.readOnly.length + host.unguarded.readOnly.length > 0
        ? undone('protected places that exist are read-only mounts')
        : enforced('nothing writable holds a protected place'),
    ...closed(decider, 'this backend takes no proxy, and its rules for addresses do not hold packets that the workload makes itself'),
    environment: enforced('the environment is empty but for what the endpoint gives and the names that are allowed'),
    'resources.timeout': limited(resources.timeoutMs, () => enforced('the container is stopped')),
    'resources.memory': limited(resources.memoryBytes, none('memory')),
    'resources.cpu': limited(resources.cpus, none('processors')),
    'resources.processes': limited(resources.processes, none('processes')),
    isolation: isolationOf(effective, 'process', 'namespaces of a container'),
  };
};

/** Pure. */
export const compileLxc = (effective: EffectivePolicy, endpoint: LxcEndpoint): LxcPlan => {
  const { distribution, release, start } = endpoint;
  const grants = grantsOf(effective, { baseline: [], masksBaseline: false, grantsTmp: false });
  const host = onHost(grants, endpoint, 'linux');
  const request: ContainerRequest = {
    ...startOf(start, limitsOf(effective)),
    containment: { type: 'lxc', config: { distribution, release } },
    filesystem: {
      readonlyPaths: [...new Set([...host.read, ...host.readOnly])].sort(),
      readwritePaths: [...host.write],
      deniedPaths: [...host.hidden],
    },
    network: isolatedNetwork(),
  };
  return compiled(effective, 'lxc', request, controlsOf(createDecider(effective), host), grants);
};
