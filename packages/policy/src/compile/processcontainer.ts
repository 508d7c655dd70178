/**
 * Effective policy to a launch on Windows. What a request means depends on the tier that the machine serves: the strongest keeps the policy natively, the others write
 * it into the access lists of the host's own files and know no rules for the network. A deny wins everywhere. Never emitted: learning mode and capture of denials.
 */
import type { ContainerRequest } from '@microsoft/mxc-sdk/v1';
import { SYSTEM_READ } from '../builtin.ts';
import { createDecider } from '../decide/decider.ts';
import type { EffectivePolicy } from '../effective.ts';
import type { ProcessContainerPlan } from '../launch-plan.ts';
import { canonicalPath } from '../match/path.ts';
import { allows, compiled, limitsOf, startOf } from './backend.ts';
import { clipboardOf, processContainerControls } from './processcontainer-controls.ts';
import { networkOf, wayOut, type WindowsEndpoint } from './processcontainer-network.ts';
import { grantsOf } from './grants.ts';
import { onHost, withoutHolders, type Whole } from './on-host.ts';

const SYSTEM: readonly string[] = SYSTEM_READ.windows.map((path) => canonicalPath(path, 'windows'));

/** Pure. @throws CordonError `compile.proxy-port` */
export const compileProcessContainer = (effective: EffectivePolicy, endpoint: WindowsEndpoint): ProcessContainerPlan => {
  const { tier, capabilities, start } = endpoint;
  const decider = createDecider(effective);
  const grants = grantsOf(effective, { baseline: SYSTEM, masksBaseline: false, grantsTmp: true });
  const host = onHost(grants, endpoint, 'windows');
  // Asked to deny what it cannot, the strongest tier would be exchanged for a weaker one without a word.
  const denies = tier !== 'base-container' || capabilities.includes('filesystemDeniedPaths');
  const whole: Whole = denies ? { ...host, dropped: [], shown: [] } : withoutHolders(host, 'windows');
  const way = wayOut(decider, endpoint);
  const windows = allows(decider, 'ui.windows');
  const request: ContainerRequest = {
    ...startOf(start, limitsOf(effective)),
    containment: {
      type: 'processcontainer',
      config: 'to' in way && way.peer !== undefined ? { network: { allowedProxyPeer: way.peer } } : {},
    },
    filesystem: {
      readonlyPaths: [...new Set([...whole.read, ...whole.readOnly])].sort(),
      readwritePaths: [...whole.write],
      deniedPaths: denies ? [...host.hidden] : [],
      clearPolicyOnExit: true,
    },
    network: networkOf(decider, way, tier),
    ui: {
      disable: !windows,
      clipboard: windows ? clipboardOf(decider) : 'none',
      allowInputInjection: windows && allows(decider, 'ui.input-injection'),
    },
  };
  const controls = processContainerControls(decider, { host, whole, denies, way, tier });
  return { ...compiled(effective, 'processcontainer', request, controls, grants), tier };
};
