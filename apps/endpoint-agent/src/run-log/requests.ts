/** What may be asked about what was, and what is answered. Types only, but for their schemas. */
import { Type, type Static } from 'typebox';
import { MOST_LISTED } from './limits.ts';
import type { DaemonLine } from './daemon-log.ts';
import type { RunEntry } from './entry.ts';
import type { Explained } from './explained.ts';

const closed = { additionalProperties: false } as const;
const Run = Type.String({ pattern: '^run_[A-Za-z0-9_-]{1,60}$' });

export const MEMORY_REQUESTS = [
  Type.Object({ op: Type.Literal('runs'), most: Type.Integer({ minimum: 1, maximum: MOST_LISTED }) }, closed),
  /** Without a run: the newest. */
  Type.Object({ op: Type.Literal('explain'), run: Type.Optional(Run) }, closed),
  Type.Object({ op: Type.Literal('run-log'), run: Run, follow: Type.Boolean() }, closed),
  Type.Object({ op: Type.Literal('daemon-log'), follow: Type.Boolean() }, closed),
] as const;
export type MemoryRequest = Static<(typeof MEMORY_REQUESTS)[number]>;

/** One line of `cordon runs`. */
export interface RunSummary {
  readonly run: string;
  readonly user: string;
  readonly agent: string;
  readonly program: string;
  readonly startedAt: string;
  readonly state: Explained['state'];
  readonly exitCode: number | null;
  readonly reason: string | null;
  /** Different ones. */
  readonly denials: number;
}

export type MemoryReply =
  | { readonly type: 'runs'; readonly runs: readonly RunSummary[] }
  | { readonly type: 'explained'; readonly explained: Explained }
  | { readonly type: 'entry'; readonly entry: RunEntry }
  | { readonly type: 'line'; readonly line: DaemonLine };
