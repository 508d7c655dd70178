/** What learning tells whoever started the run, in parts that fit the local protocol. Types, and the parting. */
import type { PathVariables, Verdict } from '@cordon/policy/effective.ts';

export interface LearnedFile {
  readonly access: 'read' | 'write';
  readonly path: string;
  /** What the program was told: the name of an error, or null where it worked. */
  readonly code: string | null;
  readonly count: number;
}

export interface LearnedHost {
  readonly host: string;
  readonly port: number;
  readonly verdict: Verdict;
  readonly code: string | null;
  /** In plain HTTP. */
  readonly method: string | null;
  readonly count: number;
}

/** What was recorded, and how far that can be relied on. */
export interface LearnedFrame {
  readonly run: string;
  readonly agent: string;
  readonly user: string;
  readonly variables: PathVariables;
  /** Undefined members travel as none. */
  readonly workspace: string | null;
  readonly files: { readonly recorder: 'strace' | null; readonly complete: boolean; readonly why: string | null };
  /** Accesses for which there was no room. */
  readonly overflow: number;
}

export type LearnReply =
  | { readonly type: 'learned.files'; readonly files: readonly LearnedFile[] }
  | { readonly type: 'learned.hosts'; readonly hosts: readonly LearnedHost[] }
  | { readonly type: 'learned'; readonly learned: LearnedFrame };

/** Of a message, so that it fits a frame whatever stands in it. */
const PART = 100;

export const parted = <T>(list: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / PART) }, (_, i) => list.slice(i * PART, (i + 1) * PART));
