/** Flat views of a profile, for tests. */
import type { AgentProfile } from './schema.ts';

export const recognitionOf = (profile: AgentProfile) => [
  ...(profile.packages ?? []),
  ...(profile.executables ?? []),
  ...(profile.bundleIds ?? []),
  ...(profile.processes ?? []),
  ...(profile.extensions ?? []),
];

export const pathGroupsOf = (profile: AgentProfile) => [...(profile.config ?? []), ...(profile.mcp ?? []), ...(profile.state ?? [])];

/** Every datum with its evidence. */
export const dataOf = (profile: AgentProfile) => [...recognitionOf(profile), ...pathGroupsOf(profile), ...(profile.hosts ?? [])];
