/** Agent profiles as data: how a program is recognised and which folders are its own. */
import type { Subject } from '../effective.ts';

export interface AgentProfile {
  readonly id: string;
  /** Names of the npm packages whose tree the program lies in. */
  readonly packages: readonly string[];
  /** Names of a program of its own. */
  readonly programs: readonly string[];
  /** What `${agent}` means, relative to the home directory. */
  readonly folders: readonly string[];
}

export const PROFILES: readonly AgentProfile[] = [
  { id: 'claude-code', packages: ['@anthropic-ai/claude-code'], programs: ['claude'], folders: ['.claude', '.claude.json'] },
  { id: 'codex', packages: ['@openai/codex'], programs: ['codex'], folders: ['.codex'] },
  { id: 'gemini-cli', packages: ['@google/gemini-cli'], programs: ['gemini'], folders: ['.gemini'] },
  { id: 'opencode', packages: ['opencode-ai'], programs: ['opencode'], folders: ['.config/opencode', '.local/share/opencode'] },
];

/** What the device saw of the program, symbolic links resolved. */
export interface ObservedProgram {
  /** Absolute path of the file that runs: the script where an interpreter runs one. */
  readonly file: string;
  /** Whether the requesting user could change it or its tree: then it proves nothing. */
  readonly userWritable: boolean;
  /** The id that the caller claims, if any. */
  readonly claimed?: string | undefined;
}

/**
 * Who is launched. A recognised program that its user cannot change is proven; everything else is a claim.
 * An interpreter is never proof, nor is a name or a flag (design §5).
 */
export const recognise = ({ file, userWritable, claimed }: ObservedProgram): Subject['agent'] => {
  const name = file.slice(file.lastIndexOf('/') + 1);
  const profile = PROFILES.find((p) => p.packages.some((pkg) => file.includes(`/node_modules/${pkg}/`)) || p.programs.includes(name));
  const inPackage = profile?.packages.some((pkg) => file.includes(`/node_modules/${pkg}/`)) ?? false;
  if (profile !== undefined && inPackage && !userWritable && (claimed === undefined || claimed === profile.id))
    return { id: profile.id, proof: 'proven' };
  return { id: claimed ?? profile?.id ?? 'unknown', proof: 'claimed' };
};

/** Folders of an agent below a home directory; none for an agent that has no profile. */
export const agentFolders = (id: string, home: string): string[] =>
  (PROFILES.find((profile) => profile.id === id)?.folders ?? []).map((folder) => `${home}/${folder}`);
