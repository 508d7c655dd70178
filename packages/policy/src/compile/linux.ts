/** Effective policy to a launch on Linux: an MXC request for bubblewrap, the egress rules, and for each control how truly it is enforced. */
import { SYSTEM_READ } from '../builtin.ts';
import { allowedVariables, createDecider } from '../decide/decider.ts';
import type { EffectivePolicy } from '../effective.ts';
import type { ControlReport, LaunchPlan } from '../launch-plan.ts';
import { isWithin } from '../match/path.ts';
import { grantsOf } from './grants.ts';
import { linuxControls } from './linux-controls.ts';

/** What only the device knows of itself. */
export interface LinuxEndpoint {
  readonly exists: (path: string) => boolean;
  readonly isDirectory: (path: string) => boolean;
  /** Cordon's own program, executor and wrapper: never writable from inside a run. */
  readonly installation: readonly string[];
}

/** The constant start line: the real one comes by a private descriptor, so argv tells nobody anything. */
export const START_LINE = '. /proc/self/fd/8';

/** Folders between a writable grant and a read-only place in it; mounted over themselves, they cannot be renamed away with their content. */
const pins = (readOnly: readonly string[], write: readonly string[]): string[] =>
  readOnly.flatMap((path) => {
    const grant = write.find((place) => isWithin(path, place, 'linux'));
    if (grant === undefined) return [];
    const between: string[] = [];
    for (let parent = path.slice(0, path.lastIndexOf('/')); parent.length > grant.length; parent = parent.slice(0, parent.lastIndexOf('/')))
      between.push(parent);
    return between;
  });

/** Required controls that are not truly enforced. Less isolation than a limit demands is never acceptable, required or not. */
const unmetOf = (required: readonly string[], reports: readonly ControlReport[]): ControlReport[] =>
  [...new Set([...required, 'isolation'])].flatMap((control) => {
    const report = reports.find((r) => r.control === control);
    if (report?.state === 'enforced') return [];
    return [report ?? { control, state: 'unsupported' as const, why: 'this device does not know the control' }];
  });

/**
 * Pure: everything that it must know of the machine is in `endpoint`.
 * @returns a plan; when `unmet` is not empty the launch must be refused with `launch.required-unmet`
 */
export const compile = (effective: EffectivePolicy, endpoint: LinuxEndpoint): LaunchPlan => {
  const decider = createDecider(effective);
  const grants = grantsOf(effective, SYSTEM_READ.linux);
  const { exists } = endpoint;
  const hidden = grants.hidden.filter(exists);
  const guarded = (path: string): boolean => endpoint.installation.some((place) => isWithin(path, place, 'linux'));
  const masked = (path: string): boolean => hidden.some((place) => isWithin(path, place, 'linux'));
  const write = grants.write.filter((path) => exists(path) && !guarded(path));
  const ours = endpoint.installation.filter((place) => !masked(place) && write.some((path) => isWithin(place, path, 'linux')));
  const readOnly = [...grants.readOnly, ...ours].filter(exists);
  const read = [...grants.read, ...grants.write.filter(guarded)].filter(exists);
  const controls = linuxControls(decider, {
    protects: grants.readOnly.length > 0,
    missing: [...grants.read, ...grants.write].filter((path) => !exists(path)),
    maskedFiles: hidden.filter((path) => !endpoint.isDirectory(path)),
  });
  return {
    request: {
      version: '1.0.0',
      containment: 'bubblewrap',
      process: { commandLine: START_LINE, env: ['PATH=/usr/bin:/bin'] },
      filesystem: {
        readonlyPaths: [...new Set([...read, ...readOnly])].sort(),
        readwritePaths: [...new Set([...write, ...pins(readOnly, write)])].sort(),
        deniedPaths: ['/proc/1', ...hidden],
      },
      network: { egress: { default: 'deny' } },
    },
    egress: { hosts: effective.hosts, hostLimits: effective.hostLimits, cidrs: effective.cidrs, cidrLimits: effective.cidrLimits },
    environment: allowedVariables(effective),
    timeoutMs: effective.resources.timeoutMs?.value,
    controls,
    unmet: unmetOf(effective.required, controls),
    shadowed: grants.shadowed,
  };
};
