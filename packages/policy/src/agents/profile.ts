/** Who a program is, and which folders are its own, by the agent profiles. */
import type { OperatingSystem, Subject } from '../effective.ts';
import { canonicalPath, isWithin } from '../match/path.ts';
import { PROFILES } from './profiles.ts';
import type { AgentProfile } from './schema.ts';
import { byPackage, INTERPRETER, nameOf, segmentsOf } from './trees.ts';

export { PROFILES } from './profiles.ts';
export type { AgentProfile } from './schema.ts';

/** What the device saw of the program, symbolic links resolved. */
export interface ObservedProgram {
  /** Absolute path of the file that runs: the script where an interpreter runs one. */
  readonly file: string;
  /** Whether anyone but the machine's administrator could change it or its tree: then it proves nothing. */
  readonly userWritable: boolean;
  /** The id that the caller claims, if any. */
  readonly claimed?: string | undefined;
}

/**
 * Folders whose programs only an administrator installs, and under names that he chose for everybody. None on Windows: there each program has a folder
 * of its own, so its name says nothing more than that.
 */
const SYSTEM_FOLDERS: Readonly<Record<OperatingSystem, readonly string[]>> = {
  linux: ['/usr/bin', '/usr/local/bin', '/bin'],
  macos: ['/usr/local/bin'],
  windows: [],
};

interface Found {
  readonly profile: AgentProfile;
  /** Whether what was found is enough where the user could not have put it there. */
  readonly proves: boolean;
}

const byName = (name: string, folder: string, os: OperatingSystem): Found | undefined => {
  const fold = (text: string): string => (os === 'windows' ? text.toLowerCase() : text);
  for (const profile of PROFILES) {
    const hit = profile.executables?.find((group) => group.os.includes(os) && group.names.some((known) => fold(known) === name));
    if (hit !== undefined) return { profile, proves: hit.verified && hit.alsoNamed === undefined && SYSTEM_FOLDERS[os].includes(folder) };
  }
  return undefined;
};

const find = (file: string, os: OperatingSystem): Found | undefined => {
  const segments = segmentsOf(file, os);
  const name = nameOf(segments.at(-1) ?? '', os);
  const tree = byPackage(segments);
  const found = tree === undefined ? byName(name, segments.slice(0, -1).join('/'), os) : { profile: tree.profile, proves: tree.verified };
  return found !== undefined && INTERPRETER.test(name) ? { ...found, proves: false } : found;
};

/**
 * Who is launched. A recognised program that its user cannot change is proven; everything else is a claim. What proves is the package tree in which
 * the file lies, or a name in a system folder that no other known program has; only by data that somebody verified. An interpreter is never proof,
 * nor is a name anywhere else, a flag, or a path that merely holds the name (design §5).
 */
export const recognise = ({ file, userWritable, claimed }: ObservedProgram, os: OperatingSystem = 'linux'): Subject['agent'] => {
  const found = find(file, os);
  if (found?.proves === true && !userWritable && (claimed === undefined || claimed === found.profile.id))
    return { id: found.profile.id, proof: 'proven' };
  return { id: claimed ?? found?.profile.id ?? 'unknown', proof: 'claimed' };
};

/**
 * The agent's places below a home directory, none inside another: what `${agent}` means. None for an agent that has no profile.
 * @throws CordonError `path.invalid` if `home` is not an absolute path of that system
 */
export const agentFolders = (id: string, home: string, os: OperatingSystem = 'linux'): string[] => {
  const places = (PROFILES.find((profile) => profile.id === id)?.state ?? [])
    .filter((group) => group.os.includes(os) && !group.holds.includes('program'))
    .flatMap((group) => group.paths)
    .filter((path) => path.startsWith('${home}'))
    .map((path) => canonicalPath(home + path.slice('${home}'.length), os));
  return [...new Set(places)].filter((path) => !places.some((other) => other !== path && isWithin(path, other, os)));
};
