/** Effective policy to a launch on Linux: an MXC request for bubblewrap, the egress rules, and for each control how truly it is enforced. */
import { SYSTEM_READ } from '../builtin.ts';
import type { ControlReport, EffectivePolicy, LaunchPlan } from '../effective.ts';
import { isWithin } from '../match/path.ts';
import { grantsOf, type Grants } from './grants.ts';

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

const controls = (grants: Grants, missing: readonly string[], files: readonly string[]): ControlReport[] => {
  const enforced = (control: string, why: string): ControlReport => ({ control, state: 'enforced', why });
  const skipped = missing.length === 0 ? '' : `; not there, so not granted: ${missing.slice(0, 5).join(', ')}`;
  return [
    enforced('filesystem.read', `only what is granted is mounted${skipped}`),
    enforced('filesystem.write', 'everything else is read-only: a write outside fails'),
    files.length === 0
      ? enforced('filesystem.deny', 'denied folders are empty mounts')
      : {
          control: 'filesystem.deny',
          state: 'approximated',
          why: `a mask over a single file falls if the host replaces the file during the run: ${files.slice(0, 5).join(', ')}; deny the folder`,
        },
    grants.readOnly.length === 0
      ? enforced('filesystem.protect', 'nothing writable holds a protected place')
      : {
          control: 'filesystem.protect',
          state: 'approximated',
          why: 'protected places that exist are read-only mounts; one that does not exist yet cannot be masked',
        },
    enforced('network.hosts', "the run's only way out is the egress proxy"),
    enforced('environment', 'the environment is empty but for the names that are allowed'),
    enforced('resources.timeout', "the sandbox's init is killed when the time is over"),
  ];
};

/**
 * Pure: everything that it must know of the machine is in `endpoint`.
 * @returns a plan; when `unmet` is not empty the launch must be refused with `launch.required-unmet`
 */
export const compile = (effective: EffectivePolicy, endpoint: LinuxEndpoint): LaunchPlan => {
  const grants = grantsOf(effective, SYSTEM_READ);
  const guarded = (path: string): boolean => endpoint.installation.some((place) => isWithin(path, place, 'linux'));
  const write = grants.write.filter((path) => endpoint.exists(path) && !guarded(path));
  const readOnly = [
    ...grants.readOnly,
    ...endpoint.installation.filter((place) => write.some((path) => isWithin(place, path, 'linux'))),
  ].filter(endpoint.exists);
  const read = [...grants.read, ...grants.write.filter(guarded)].filter(endpoint.exists);
  const hidden = grants.hidden.filter(endpoint.exists);
  const missing = [...grants.read, ...grants.write].filter((path) => !endpoint.exists(path));
  const reports = controls(
    grants,
    missing,
    hidden.filter((path) => !endpoint.isDirectory(path)),
  );
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
    egress: { hosts: effective.hosts, limits: effective.hostLimits },
    environment: effective.environment.map(({ name }) => name),
    timeoutMs: effective.timeoutMs?.value,
    controls: reports,
    unmet: effective.required.flatMap((control) => {
      const report = reports.find((r) => r.control === control);
      if (report?.state === 'enforced') return [];
      return [report ?? { control, state: 'unsupported' as const, why: 'this device does not know the control' }];
    }),
  };
};
