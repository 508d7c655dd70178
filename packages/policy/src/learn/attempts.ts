/** Recorded accesses to attempts that a proposal may be made of: each once, with its devices; the others by the reason why not. */
import { SYSTEM_PLACES } from '../builtin.ts';
import { isCredentialPlace } from '../delta/credential-like.ts';
import { createDecider, type Decider } from '../decide/decider.ts';
import type { Access } from '../decide/paths.ts';
import { CordonError } from '../errors.ts';
import type { OperatingSystem, PathVariables } from '../effective.ts';
import { isPrivateAddress } from '../match/address.ts';
import { canonicalHost } from '../match/host.ts';
import { canonicalPath, isWithin } from '../match/path.ts';
import { resolve } from '../resolve.ts';
import type { RecordedAccess, RecordedEgress, RecordedFile } from '../simulate/recorded.ts';
import type { FileAttempt } from './files.ts';
import type { NetworkAttempt } from './hosts.ts';
import { isOfHomes, placeOf, textAt } from './place.ts';
import type { Coverage, LearnOptions, WithheldReason } from './proposal.ts';
import { Tally } from './tally.ts';

/** A file attempt as it happened. */
export interface LocatedAttempt extends FileAttempt {
  readonly path: string;
  readonly os: OperatingSystem;
  readonly variables: PathVariables;
}

export interface Attempts {
  readonly network: readonly NetworkAttempt[];
  readonly files: readonly LocatedAttempt[];
  readonly withheld: Map<WithheldReason, number>;
  readonly systems: ReadonlySet<OperatingSystem>;
  readonly homes: readonly { readonly home: string; readonly os: OperatingSystem }[];
  /** Folders, as rules would say them, in which something was used that is never granted. */
  readonly tainted: ReadonlySet<string>;
  readonly coverage: { readonly devices: number; readonly network: Coverage; readonly files: Coverage };
}

/** Different attempts that one proposal is made of. */
const MAX_DIFFERENT = 200_000;

/** Names that only mean something inside a network. */
const isLocal = (host: string): boolean =>
  !host.includes('.') || /\.(localhost|local|internal|intranet|lan|home|corp|home\.arpa)$/.test(host);
const isAddress = (host: string): boolean => host.includes(':') || /^[0-9.]+$/.test(host);

const readHost = ({ host, port, code }: RecordedEgress): Omit<NetworkAttempt, 'count' | 'devices'> | undefined => {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  try {
    const name = canonicalHost(host);
    return { host: name, port, private: code === 'egress.private' || (isAddress(name) ? isPrivateAddress(name) : isLocal(name)) };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return undefined;
  }
};

const readPath = ({ path, os }: RecordedFile): string | undefined => {
  try {
    return canonicalPath(path, os);
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return undefined;
  }
};

/** What every run has and none gets, where the variables stand for these. */
const builtIn = (os: OperatingSystem, variables: PathVariables): Decider =>
  createDecider(resolve({ policies: [], floor: undefined, subject: { agent: { id: '', proof: 'proven' }, user: '', os }, variables }));

/** @returns why no rule may be made for it, `needless` when none is needed, or undefined */
const refusal = (decider: Decider, path: string, access: Access): WithheldReason | 'needless' | undefined => {
  const { os } = decider.effective.subject;
  const { denies, allows } = decider.paths.judged(path, access);
  if (denies.length > 0) return denies.some(({ rule }) => rule.startsWith('builtin:never-grant:')) ? 'never-granted' : 'never-written';
  if (allows.length > 0) return 'needless';
  const isSystem = SYSTEM_PLACES[os].some((place) => isWithin(path, canonicalPath(place, os), os));
  return access === 'write' && isSystem ? 'system-place' : undefined;
};

export const readAttempts = (events: Iterable<RecordedAccess>, { agents, privateHosts, variablesFor }: LearnOptions): Attempts => {
  const network = new Tally<Omit<NetworkAttempt, 'count' | 'devices'>>();
  const files = new Tally<Pick<LocatedAttempt, 'path' | 'access' | 'os' | 'variables'>>();
  const withheld = new Map<WithheldReason, number>();
  const withhold = (reason: WithheldReason, count = 1): void => void withheld.set(reason, (withheld.get(reason) ?? 0) + count);
  const seen = { egress: { attempts: 0, devices: new Set<string>() }, file: { attempts: 0, devices: new Set<string>() } };
  const systems = new Set<OperatingSystem>();

  const add = <T>(tally: Tally<T>, parts: readonly unknown[], { device }: RecordedAccess, item: T): void => {
    const key = JSON.stringify(parts);
    if (!tally.has(key) && network.size + files.size >= MAX_DIFFERENT) return withhold('too-many');
    tally.add(key, { count: 1, devices: new Set([device]) }, () => item);
  };
  const addEgress = (event: RecordedEgress): void => {
    const read = readHost(event);
    if (read === undefined) return withhold('not-understood');
    if (read.private && privateHosts !== true) return withhold('private-host');
    add(network, [read.host, read.port, read.private], event, read);
  };
  const addFile = (event: RecordedFile): void => {
    const path = readPath(event);
    if (path === undefined) return withhold('not-understood');
    const variables = variablesFor?.(event);
    if (variables === undefined) return withhold('without-variables');
    const { access, os } = event;
    add(files, [os, path, access, variables], event, { path, access, os, variables });
  };

  for (const event of events) {
    if (agents !== undefined && !agents.includes(event.agent)) {
      withhold('other-agent');
      continue;
    }
    seen[event.kind].attempts += 1;
    seen[event.kind].devices.add(event.device);
    systems.add(event.os);
    if (event.proof === 'claimed') withhold('not-proven');
    else if (event.kind === 'egress') addEgress(event);
    else addFile(event);
  }

  const deciders = new Map<string, Decider>();
  const tainted = new Set<string>();
  const located = files.all().flatMap(({ item, count, devices }): LocatedAttempt[] => {
    const { path, access, os, variables } = item;
    const where = JSON.stringify([os, variables]);
    const decider = deciders.get(where) ?? builtIn(os, variables);
    deciders.set(where, decider);
    const reason = refusal(decider, path, access);
    if (reason !== undefined) {
      if (reason !== 'needless') withhold(reason, count);
      return [];
    }
    const permitted = decider.effective.workspace.allowed ? variables : { ...variables, workspace: undefined };
    const place = placeOf(path, permitted, os);
    // A copy of a credentials folder, or that of another home: the built-in set does not know where it lies.
    if (isOfHomes(place) && isCredentialPlace(path)) {
      place.segments.forEach((_, length) => tainted.add(textAt(place, length)));
      withhold('never-granted', count);
      return [];
    }
    return [{ ...item, count, devices, place }];
  });
  return {
    network: network.all().map(({ item, count, devices }) => ({ ...item, count, devices })),
    files: located,
    withheld,
    systems,
    tainted,
    homes: [...deciders.keys()].map((where) => {
      const [os, { home }] = JSON.parse(where) as [OperatingSystem, PathVariables];
      return { home, os };
    }),
    coverage: {
      devices: seen.egress.devices.union(seen.file.devices).size,
      network: { attempts: seen.egress.attempts, devices: seen.egress.devices.size },
      files: { attempts: seen.file.attempts, devices: seen.file.devices.size },
    },
  };
};
