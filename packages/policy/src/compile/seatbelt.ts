/**
 * Effective policy to a launch on macOS: Seatbelt, whose rules are about names. A deny always wins; else the deepest path does. It cannot tell hosts apart, so the
 * egress proxy at a loopback port of this run is the only way out. Never emitted: `profileOverride`, access to windows or the keychain, and rules beside the proxy.
 */
import type { ContainerRequest } from '@microsoft/mxc-sdk/v1';
import { SYSTEM_READ } from '../builtin.ts';
import { createDecider, type Decider } from '../decide/decider.ts';
import type { EffectivePolicy } from '../effective.ts';
import type { SeatbeltPlan } from '../launch-plan.ts';
import {
  allows,
  approximated,
  byRight,
  CLIPBOARD,
  compiled,
  enforced,
  few,
  isolationOf,
  limited,
  limitsOf,
  proxyUrl,
  startOf,
  unavailable,
  unenforced,
  type Findings,
  type Start,
} from './backend.ts';
import { grantsOf, type Grants } from './grants.ts';
import { proxied, unconnected } from './network.ts';
import { foldersAbove, onHost, type Endpoint, type HostGrants } from './on-host.ts';
import { Places } from './places.ts';

export interface MacEndpoint extends Endpoint {
  readonly start: Start;
  /** Where the egress proxy listens for this run alone; without it the run has no network. */
  readonly proxyPort?: number;
  /** A path as the disk spells it: the rules compare text, and the disk may not tell case apart. Links are not followed. Unchanged where nothing is there. */
  readonly asOnDisk: (path: string) => string;
}

/** What every Seatbelt sandbox can read. */
export const SEATBELT_BASELINE: readonly string[] = [
  '/bin',
  '/sbin',
  '/usr/bin',
  '/usr/sbin',
  '/usr/lib',
  '/usr/libexec',
  '/usr/share',
  '/System',
  '/Library',
  '/private/etc',
  '/private/var/db/timezone',
  '/private/var/db/dyld',
  '/private/var/select',
];

/** Readable on every launch, but not in the baseline. Its devices are, each for itself: a rule over the folder would take writing to them away. */
const SYSTEM = ((): readonly string[] => {
  const baseline = new Places(SEATBELT_BASELINE, 'macos');
  return SYSTEM_READ.macos.filter((path) => baseline.covering(path) === undefined && path !== '/dev');
})();

const wholeClipboard = (decider: Decider): boolean => CLIPBOARD.every((right) => allows(decider, right));

const requestOf = (decider: Decider, host: HostGrants, { start, proxyPort, asOnDisk }: MacEndpoint): ContainerRequest => {
  const spelled = (paths: readonly string[]): string[] => [...new Set(paths.map(asOnDisk))].sort();
  const hidden = new Places(host.hidden, 'macos');
  const writable = new Places(host.write, 'macos');
  const system = SYSTEM.filter((path) => hidden.covering(path) === undefined && writable.covering(path) === undefined);
  return {
    ...startOf(start, limitsOf(decider.effective)),
    containment: { type: 'seatbelt', config: { guiAccess: false, keychainAccess: false, nestedPty: true } },
    filesystem: {
      readonlyPaths: spelled([...system, ...host.read, ...host.readOnly]),
      readwritePaths: spelled(host.write),
      deniedPaths: spelled(host.hidden),
      clearPolicyOnExit: true,
    },
    network: {
      egress: { default: 'deny' },
      ingress: { default: allows(decider, 'network.ingress') ? 'allow' : 'deny', hostLoopback: 'deny' },
      ...(proxyPort !== undefined && { runtimeConfig: { networkProxy: proxyUrl(proxyPort) } }),
    },
    ui: { disable: true, clipboard: wholeClipboard(decider) ? 'all' : 'none', allowInputInjection: false },
  };
};

/** A rule is about a name: renamed with a folder above it, what it guards has another. */
const guarding = (paths: readonly string[], host: HostGrants, held: string): Findings['filesystem.deny'] => {
  const writable = new Places(host.write, 'macos');
  const movable = paths.filter((path) => foldersAbove(path, writable, 'macos').length > 0);
  return movable.length === 0
    ? enforced(held)
    : approximated(
        `a folder between what is writable and the guarded place can be renamed, and the rule with its name is left behind: ${few(movable)}`,
      );
};

const controlsOf = (decider: Decider, grants: Grants, host: HostGrants, hasProxy: boolean): Findings => {
  const { effective } = decider;
  const { resources } = effective;
  const none = (what: string) => () => unenforced(`macOS and Seatbelt have no limit of ${what} for a run`);
  const open = allows(decider, 'network.ingress');
  const clipboard = CLIPBOARD.some((right) => allows(decider, right));
  return {
    'filesystem.read': enforced('only what is granted can be read; that something else exists, and its size, can be asked'),
    'filesystem.write': enforced('only what is granted can be written'),
    'filesystem.deny': guarding(grants.hidden, host, 'a deny wins over every grant, also for what is not there yet'),
    'filesystem.protect':
      host.unguarded.readOnly.length > 0
        ? approximated(
            `a protected place that does not exist yet can be made under another spelling, where the disk does not tell case apart: ${few(host.unguarded.readOnly)}`,
          )
        : guarding(host.readOnly, host, 'protected places are read-only'),
    ...(hasProxy
      ? proxied(
          effective,
          "the proxy's port is the only one that can be reached, by the kernel's word; a program that ignores the proxy reaches nothing",
        )
      : unconnected(effective, 'the endpoint has no egress proxy for this run')),
    'network.ingress': open
      ? enforced('it is allowed; it cannot be narrowed to a peer or an address')
      : enforced('nothing can listen at a network address'),
    'network.host-loopback': byRight(decider, ['network.host-loopback'], {
      denied: open
        ? approximated(
            'the run reaches nothing of the host but its proxy; but what the run listens on, the host reaches: Seatbelt cannot tell peers apart',
          )
        : enforced("nothing of the host's loopback but the proxy's port can be reached"),
      allowed: unavailable(
        'it would open every port of every address of this host, the proxies of other runs included; name the host and port with private: true instead',
      ),
    }),
    'ui.windows': byRight(decider, ['ui.windows'], {
      denied: enforced('the window server cannot be looked up'),
      allowed: unavailable('it would open all services of the session and all temporary folders'),
    }),
    'ui.clipboard':
      wholeClipboard(decider) || !clipboard
        ? enforced(clipboard ? 'reading and writing are both allowed' : 'the pasteboard cannot be looked up')
        : unavailable('the pasteboard is open or closed as a whole: allow reading and writing, or neither'),
    'ui.input-injection': byRight(decider, ['ui.input-injection'], {
      denied: enforced('input devices cannot be opened'),
      allowed: unavailable('it needs the window server'),
    }),
    environment: enforced('the environment is empty but for the names that are allowed'),
    'resources.timeout': limited(resources.timeoutMs, () =>
      approximated(
        'the command is ended; a process that left its group outlives it, as contained as before: macOS has nothing that holds them together',
      ),
    ),
    'resources.memory': limited(resources.memoryBytes, none('memory')),
    'resources.cpu': limited(resources.cpus, none('processors')),
    'resources.processes': limited(resources.processes, none('processes')),
    isolation: isolationOf(effective, 'process', 'a Seatbelt profile of the kernel over a tree of processes'),
  };
};

/** Pure. @throws CordonError `compile.proxy-port` */
export const compileSeatbelt = (effective: EffectivePolicy, endpoint: MacEndpoint): SeatbeltPlan => {
  const decider = createDecider(effective);
  const grants = grantsOf(effective, { baseline: [...SYSTEM_READ.macos, ...SEATBELT_BASELINE], masksBaseline: true, grantsTmp: true });
  const host = onHost(grants, endpoint, 'macos', true);
  const controls = controlsOf(decider, grants, host, endpoint.proxyPort !== undefined);
  return compiled(effective, 'seatbelt', requestOf(decider, host, endpoint), controls, grants);
};
