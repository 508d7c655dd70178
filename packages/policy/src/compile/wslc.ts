/**
 * Effective policy to a Linux container on Windows, in a virtual machine of the run's own: the one-shot form, since only that takes limits and shares its machine with
 * nobody. Folders of the host are volumes without parts: what holds a hidden place is not given. The network is all or nothing, so nothing.
 */
import type { ContainerRequest } from '@microsoft/mxc-sdk/v1';
import { createDecider, type Decider } from '../decide/decider.ts';
import type { EffectivePolicy } from '../effective.ts';
import type { WslcPlan } from '../launch-plan.ts';
import {
  approximated,
  compiled,
  enforced,
  few,
  isolationOf,
  limited,
  limitsOf,
  startOf,
  unavailable,
  unenforced,
  type Finding,
  type Findings,
  type Start,
} from './backend.ts';
import { closed, isolatedNetwork } from './container.ts';
import { grantsOf } from './grants.ts';
import { onHost, withoutHolders, type Endpoint, type HostGrants, type Whole } from './on-host.ts';

export interface WslcEndpoint extends Endpoint {
  readonly start: Start;
  /** In the local store, or in the archive: a run without network pulls nothing. */
  readonly image: string;
  readonly imageTarPath?: string;
}

const MIB = 1024 ** 2;

const controlsOf = (decider: Decider, { unguarded }: HostGrants, { readOnly, dropped }: Whole): Findings => {
  const { effective } = decider;
  const { resources } = effective;
  const given = (held: string): Finding =>
    dropped.length === 0
      ? enforced(held)
      : unavailable(`a volume cannot hide a part of itself, so what holds hidden places is not given: ${few(dropped)}`);
  return {
    'filesystem.read': given('only what is granted is a volume of the container'),
    'filesystem.write': given('only what is granted is a writable volume of the container'),
    'filesystem.deny': enforced('what holds a hidden place is not given'),
    'filesystem.protect':
      readOnly.length + unguarded.readOnly.length > 0
        ? approximated(
            'protected places that exist are read-only volumes in a writable one; what that means is not documented, and one that does not exist yet is none',
          )
        : enforced('nothing writable holds a protected place'),
    ...closed(decider, 'the network of this backend is open or closed as a whole, and its proxy is a suggestion that programs may ignore'),
    environment: enforced('nothing of the host: what the image brings, what the endpoint gives and the names that are allowed'),
    'resources.timeout': limited(resources.timeoutMs, () => enforced('the container and its machine end')),
    'resources.memory': limited(resources.memoryBytes, () => enforced('the memory of the virtual machine')),
    'resources.cpu': limited(resources.cpus, (cpus) =>
      cpus < 1
        ? unenforced('a virtual machine has at least one whole processor')
        : enforced('the processors of the virtual machine, whole ones'),
    ),
    'resources.processes': limited(resources.processes, () => unenforced('the backend sets no limit of processes')),
    isolation: isolationOf(effective, 'vm', 'a container in a virtual machine of its own session'),
  };
};

/** Pure. */
export const compileWslc = (effective: EffectivePolicy, endpoint: WslcEndpoint): WslcPlan => {
  const { image, imageTarPath, start } = endpoint;
  const grants = grantsOf(effective, { baseline: [], masksBaseline: false, grantsTmp: false });
  const host = onHost(grants, endpoint, 'windows');
  const whole = withoutHolders(host, 'windows');
  const limits = limitsOf(effective);
  const request: ContainerRequest = {
    ...startOf(start, limits),
    containment: {
      type: 'wslc',
      config: {
        image,
        gpu: false,
        ...(imageTarPath !== undefined && { imageTarPath }),
        ...(limits.cpus !== undefined && { cpuCount: Math.max(1, Math.floor(limits.cpus)) }),
        ...(limits.memoryBytes !== undefined && { memoryMb: Math.floor(limits.memoryBytes / MIB) }),
      },
    },
    filesystem: {
      readonlyPaths: [...new Set([...whole.read, ...whole.readOnly])].sort(),
      readwritePaths: [...whole.write],
      deniedPaths: [],
    },
    network: isolatedNetwork(),
  };
  return compiled(effective, 'wslc', request, controlsOf(createDecider(effective), host, whole), grants);
};
