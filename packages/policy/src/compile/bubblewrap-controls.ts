/** How truly each control is enforced by bubblewrap, Cordon's wrapper around it and the egress proxy, and why. */
import { SYSTEM_READ } from '../builtin.ts';
import type { Decider } from '../decide/decider.ts';
import type { EffectivePolicy } from '../effective.ts';
import {
  approximated,
  byRight,
  CLIPBOARD,
  enforced,
  few,
  isolationOf,
  limited,
  unavailable,
  unenforced,
  type Finding,
  type Findings,
} from './backend.ts';
import { proxied } from './network.ts';
import type { HostGrants } from './on-host.ts';
import { Places } from './places.ts';

/** How this endpoint limits a resource: by the run's control group, by a limit that each of its processes carries, or not at all. */
export type LimitMeans = 'cgroup' | 'rlimit' | 'none';
export type ResourceMeans = Readonly<Record<'memory' | 'cpu' | 'processes', LimitMeans>>;

type ResourceFindings = Pick<Findings, 'resources.memory' | 'resources.cpu' | 'resources.processes'>;

const group = (what: string) => enforced(`the run's control group: ${what}`);
const none = unenforced('this device has no means for such a limit; the limits that the daemon itself was started under hold');

const BY: Readonly<Record<keyof ResourceMeans, Readonly<Record<LimitMeans, Finding>>>> = {
  memory: {
    cgroup: group('all of its memory together, with its own /tmp, and none is swapped out'),
    rlimit: approximated('the limit holds for the data of each process of the run, not for all together, nor for files in its /tmp'),
    none,
  },
  cpu: {
    cgroup: group('all of its processor time together'),
    rlimit: unenforced('a limit of a process counts seconds of processor time, not a share'),
    none,
  },
  processes: {
    cgroup: group('its processes and threads'),
    rlimit: approximated(
      "the limit is set inside the run's own user namespace, where only its own processes and threads count; runs nested in it have counts of their own",
    ),
    none,
  },
};

const resourcesBy = (means: ResourceMeans, { resources: { memoryBytes, cpus, processes } }: EffectivePolicy): ResourceFindings => ({
  'resources.memory': limited(memoryBytes, () => BY.memory[means.memory]),
  'resources.cpu': limited(cpus, () => BY.cpu[means.cpu]),
  'resources.processes': limited(processes, () => BY.processes[means.processes]),
});

/** A right that the sandbox cannot give: denied is enforced by its absence, allowed is not to be had. */
const absent = (why: string) => ({ denied: enforced(why), allowed: unavailable(`it is allowed, but ${why}`) });

/** Folders of programs that most systems have under two names; the sandbox shows both, and a mask covers one. */
const TWO_NAMES = new Places(
  SYSTEM_READ.linux.filter((path) => /^(\/usr)?\/(s?bin|lib)/.test(path) && path !== '/usr/libexec'),
  'linux',
);

const hiding = ({ hidden, unguarded }: HostGrants, isDirectory: (path: string) => boolean): Findings['filesystem.deny'] => {
  const files = hidden.filter((path) => !isDirectory(path));
  if (unguarded.hidden.length > 0)
    return approximated(
      `what is not there when the run starts cannot be masked, should the host make it meanwhile: ${few(unguarded.hidden)}`,
    );
  const elsewhere = hidden.filter((path) => TWO_NAMES.covering(path) !== undefined);
  if (elsewhere.length > 0)
    return approximated(`where /bin and /usr/bin are one folder, what is hidden in it is found under its other name: ${few(elsewhere)}`);
  if (files.length > 0)
    return approximated(`a mask over a single file falls if the host replaces the file during the run: ${few(files)}; deny the folder`);
  return enforced(hidden.length === 0 ? 'nothing granted holds a hidden place' : 'denied folders are empty mounts');
};

export const bubblewrapControls = (
  decider: Decider,
  grants: HostGrants,
  isDirectory: (path: string) => boolean,
  means: ResourceMeans,
  upstream: boolean,
): Findings => {
  const { effective } = decider;
  const { missing } = grants;
  return {
    'filesystem.read': enforced(
      `only what is granted is mounted${missing.length === 0 ? '' : `; not there, so not granted: ${few(missing)}`}`,
    ),
    'filesystem.write': enforced('everything else is read-only: a write outside fails'),
    'filesystem.deny': hiding(grants, isDirectory),
    'filesystem.protect':
      grants.readOnly.length + grants.unguarded.readOnly.length > 0
        ? approximated('protected places that exist are read-only mounts; one that does not exist yet cannot be masked')
        : enforced('nothing writable holds a protected place'),
    ...proxied(effective, "the run's only way out is the egress proxy", upstream),
    'network.ingress': byRight(decider, ['network.ingress'], absent('nothing outside the sandbox can reach into its network')),
    'network.host-loopback': byRight(
      decider,
      ['network.host-loopback'],
      absent("the host's loopback is not in the sandbox's network; name the host and port with private: true instead"),
    ),
    'ui.windows': byRight(decider, ['ui.windows'], absent('no display is reachable from the sandbox')),
    'ui.clipboard': byRight(decider, CLIPBOARD, absent('no display, so no clipboard, is reachable from the sandbox')),
    'ui.input-injection': byRight(
      decider,
      ['ui.input-injection'],
      absent('no display or input device is reachable, and terminal injection is filtered'),
    ),
    environment: enforced('the environment is empty but for the names that are allowed'),
    'resources.timeout': limited(effective.resources.timeoutMs, () => enforced("the sandbox's init is killed when the time is over")),
    ...resourcesBy(means, effective),
    isolation: isolationOf(effective, 'process', 'namespaces, capabilities and system-call filter'),
  };
};
