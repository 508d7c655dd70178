/** Accesses as telemetry and recorders keep them: the material of simulation and learning. Hostile text in every field. */
import type { HttpRequest } from '../decide/egress.ts';
import type { Access } from '../decide/paths.ts';
import type { OperatingSystem, PathVariables, Subject, Verdict } from '../effective.ts';

interface Recorded {
  readonly device: string;
  readonly agent: string;
  /** Whether the agent was proven; what a record does not say was. */
  readonly proof?: 'proven' | 'claimed';
  readonly osUser: string;
  readonly os: OperatingSystem;
}

/** What the egress proxy decided. */
export interface RecordedEgress extends Recorded {
  readonly kind: 'egress';
  readonly host: string;
  readonly port: number;
  /** Of plain HTTP, where a record has it; without it the access counts as a tunnel. */
  readonly http?: HttpRequest;
  readonly verdict: Verdict;
  /** Why it was denied although a rule allowed the name: `egress.private`. */
  readonly code?: string;
}

/** An attempt on a file, from where a recorder saw it. */
export interface RecordedFile extends Recorded {
  readonly kind: 'file';
  readonly path: string;
  readonly access: Access;
  readonly verdict?: Verdict;
}

export type RecordedAccess = RecordedEgress | RecordedFile;

/** What the path variables stood for when it happened; undefined when nobody knows. */
export type VariablesFor = (event: RecordedFile) => PathVariables | undefined;

export const subjectOf = ({ agent, proof = 'proven', osUser, os }: Recorded): Subject => ({
  agent: { id: agent, proof },
  user: osUser,
  os,
});
