/** How truly each control is enforced by Windows' process containers, by tier, and why. From their documentation: none of it was run. */
import type { IsolationTier } from '@microsoft/mxc-sdk/v1';
import type { Decider } from '../decide/decider.ts';
import {
  allows,
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
import { proxied, unconnected } from './network.ts';
import type { HostGrants, Whole } from './on-host.ts';
import type { Way } from './processcontainer-network.ts';

export interface WindowsSituation {
  readonly host: HostGrants;
  /** What of it is emitted. */
  readonly whole: Whole;
  /** Whether this machine hides a part of what is granted. */
  readonly denies: boolean;
  readonly way: Way;
  readonly tier: IsolationTier;
}

export const clipboardOf = (decider: Decider): 'none' | 'read' | 'write' | 'all' => {
  const [read, write] = [allows(decider, 'ui.clipboard.read'), allows(decider, 'ui.clipboard.write')];
  if (read) return write ? 'all' : 'read';
  return write ? 'write' : 'none';
};

const ENTRIES =
  "this tier writes the policy into the access lists of the host's own files, for as long as the run lasts, and what is open to all app packages is open to it";

type FileFindings = Pick<Findings, 'filesystem.read' | 'filesystem.write' | 'filesystem.deny' | 'filesystem.protect'>;

const weakFiles = ({ host }: WindowsSituation): FileFindings => {
  const guards = host.hidden.length + host.unguarded.hidden.length > 0;
  return {
    'filesystem.read': approximated(ENTRIES),
    'filesystem.write': approximated(ENTRIES),
    'filesystem.deny': guards
      ? approximated('a denying entry is lost when the host replaces what carries it, and is not there for what is made later')
      : enforced('nothing granted holds a hidden place'),
    'filesystem.protect':
      host.readOnly.length + host.unguarded.readOnly.length > 0
        ? unenforced('the right to write that a protected place inherits outweighs an entry that lets it be read')
        : enforced('nothing writable holds a protected place'),
  };
};

const strongFiles = ({ host, whole, denies }: WindowsSituation): FileFindings => {
  const { dropped, shown } = whole;
  const given = (held: string): Finding =>
    dropped.length === 0
      ? enforced(held)
      : unavailable(`this Windows cannot hide a part of what is granted, so what holds hidden places is not: ${few(dropped)}`);
  const hiding = (): Finding => {
    if (shown.length > 0) return unenforced(`this Windows cannot hide a part of its own folders: ${few(shown)}`);
    if (!denies) return enforced('what holds a hidden place is not granted');
    return host.unguarded.hidden.length > 0
      ? approximated(
          `what is not there when the run starts is not denied, should the host make it meanwhile: ${few(host.unguarded.hidden)}`,
        )
      : enforced('a deny wins over every grant');
  };
  return {
    'filesystem.read': given('paths outside the policy do not exist for the run'),
    'filesystem.write': given('only what is granted can be written'),
    'filesystem.deny': hiding(),
    'filesystem.protect':
      whole.readOnly.length + host.unguarded.readOnly.length > 0
        ? approximated('what a read-only place in a writable one means is not documented; one that does not exist yet is not named')
        : enforced('nothing writable holds a protected place'),
  };
};

export const processContainerControls = (decider: Decider, situation: WindowsSituation): Findings => {
  const { effective } = decider;
  const { way, tier } = situation;
  const { resources } = effective;
  const strong = tier === 'base-container';
  const windows = allows(decider, 'ui.windows');
  const none = (what: string) => () => unenforced(`the sandbox sets no limit of ${what}`);
  const desktop = (what: string): Finding =>
    windows
      ? enforced('limits of the job object')
      : unavailable(`${what} needs the graphics system, which is closed unless ui.windows is allowed`);
  return {
    ...(strong ? strongFiles(situation) : weakFiles(situation)),
    ...('to' in way
      ? proxied(
          effective,
          `the filtering platform lets the run reach nothing but the proxy's address and port${way.peer === undefined ? '' : ', and no process but the proxy'}`,
        )
      : unconnected(effective, way.missing)),
    'network.ingress': byRight(decider, ['network.ingress'], {
      denied: enforced('the run has no capability for the network'),
      allowed: strong
        ? enforced('the private network may come in')
        : unavailable('this tier has one capability for both directions and refuses to open it for one'),
    }),
    'network.host-loopback': byRight(decider, ['network.host-loopback'], {
      denied: enforced("the host's loopback is closed but for the proxy with its identity"),
      allowed: unavailable(
        "it would open every service of the host's loopback, the proxies of other runs included; name the host and port with private: true instead",
      ),
    }),
    'ui.windows': enforced(windows ? 'windows of its own, apart from those of others' : 'calls to the graphics system are refused'),
    'ui.clipboard': byRight(decider, CLIPBOARD, {
      denied: enforced('limits of the job object'),
      allowed: desktop('the clipboard'),
    }),
    'ui.input-injection': byRight(decider, ['ui.input-injection'], {
      denied: enforced('limits of the job object'),
      allowed: desktop('sending input'),
    }),
    environment: enforced('the environment is what the endpoint gives: what Windows needs, and the names that are allowed'),
    'resources.timeout': limited(resources.timeoutMs, () => enforced('the job object ends with all that is in it')),
    'resources.memory': limited(resources.memoryBytes, none('memory')),
    'resources.cpu': limited(resources.cpus, none('processors')),
    'resources.processes': limited(resources.processes, none('processes')),
    isolation: isolationOf(effective, 'process', strong ? 'a process container of its own' : 'an app container'),
  };
};
