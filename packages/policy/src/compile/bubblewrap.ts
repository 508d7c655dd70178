/** Effective policy to a launch on Linux: a request for the native executor, which runs bubblewrap. Mounts: the deepest path wins. */
import { SYSTEM_READ } from '../builtin.ts';
import { createDecider } from '../decide/decider.ts';
import type { EffectivePolicy } from '../effective.ts';
import type { LaunchPlan, NativeRequest } from '../launch-plan.ts';
import { isWithin } from '../match/path.ts';
import { compiled } from './backend.ts';
import { bubblewrapControls, type ResourceMeans } from './bubblewrap-controls.ts';
import { grantsOf } from './grants.ts';
import { foldersAbove, onHost, type Endpoint, type HostGrants } from './on-host.ts';
import { Places } from './places.ts';

export interface LinuxEndpoint extends Endpoint {
  /** What this endpoint can limit by; nothing unless it says so. */
  readonly limits?: ResourceMeans;
  /** Whether its egress proxy goes through another one, which resolves names. */
  readonly upstream?: boolean;
}

/** The constant start line: the real one comes by a private descriptor, so argv tells nobody anything. */
export const START_LINE = '. /proc/self/fd/8';

const NOTHING: ResourceMeans = { memory: 'none', cpu: 'none', processes: 'none' };

/** Hides what a tracer aside could read of the sandbox's own start. */
const INIT = '/proc/1';

/** Folders above a guarded place; mounted over themselves, they cannot be renamed away with their content. */
const pins = ({ write, readOnly, hidden }: HostGrants): string[] => {
  const guarded = [...readOnly, ...hidden];
  const writable = new Places(write, 'linux');
  const above = guarded.flatMap((path) => foldersAbove(path, writable, 'linux'));
  if (above.length === 0) return [];
  const within = new Places(guarded, 'linux');
  return above.filter((place) => within.covering(place) === undefined);
};

/** @param sorted each once, in order */
const joined = (sorted: readonly string[], more: readonly string[]): string[] =>
  more.length === 0 ? [...sorted] : [...new Set([...sorted, ...more])].sort();

const requestOf = (grants: HostGrants): NativeRequest => ({
  version: '1.0.0',
  containment: 'bubblewrap',
  process: { commandLine: START_LINE, env: ['PATH=/usr/bin:/bin'] },
  filesystem: {
    readonlyPaths: joined(grants.read, grants.readOnly),
    readwritePaths: joined(grants.write, pins(grants)),
    deniedPaths: [...(grants.hidden.some((place) => isWithin(INIT, place, 'linux')) ? [] : [INIT]), ...grants.hidden],
  },
  network: { egress: { default: 'deny' } },
});

/**
 * Pure: everything that it must know of the machine is in `endpoint`.
 * @returns a plan; when `unmet` is not empty the launch must be refused with `launch.required-unmet`
 */
export const compileBubblewrap = (effective: EffectivePolicy, endpoint: LinuxEndpoint): LaunchPlan => {
  const grants = grantsOf(effective, { baseline: SYSTEM_READ.linux, masksBaseline: false, grantsTmp: false });
  const host = onHost(grants, endpoint, 'linux');
  const controls = bubblewrapControls(
    createDecider(effective),
    host,
    endpoint.isDirectory,
    endpoint.limits ?? NOTHING,
    endpoint.upstream ?? false,
  );
  return compiled(effective, 'bubblewrap', requestOf(host), controls, grants);
};
