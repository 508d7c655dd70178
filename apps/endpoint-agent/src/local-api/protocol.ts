/** The local protocol: one byte kind, four bytes length, payload. Control messages are JSON; the rest are the run's own bytes. */
import path from 'node:path';
import type { ResourceMeans } from '@cordon/policy/compile/bubblewrap-controls.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { AgentsReply, AgentsRequest } from '../discovery/requests.ts';
import type { LearnReply } from '../learn/learned.ts';
import type { HistoryStatus } from '../policy-state/history.ts';
import type { TokenAsked, TokenGiven } from '../run-identity/requests.ts';
import type { AskingReply, AskingRequest } from '../asking/words.ts';
import type { MemoryReply, MemoryRequest } from '../run-log/requests.ts';
import type { Whose } from '../runs/whose.ts';
import type { Answered } from '../runs/why.ts';

export const KIND = { control: 0, stdin: 1, stdout: 2, stderr: 3 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** Where an account's socket lies. */
export const socketFor = (runtimeDir: string, uid: number): string => path.join(runtimeDir, 'users', String(uid), 'cordon.sock');

export const MAX_FRAME = 1_048_576;

/** How much input may be under way that no run has taken; the daemon bears twice as much. */
export const INPUT_WINDOW = 1_048_576;
/** What a chunk counts of the window: the smallest ones cost more than their bytes. */
export const inputCost = ({ length }: Uint8Array): number => Math.max(length, 256);

/** Only root's own socket may name another user. */
interface Who {
  readonly agent?: string;
  readonly user?: string;
  readonly cwd: string;
  /** The text of the program's manifest: it narrows what policies give. */
  readonly manifest?: string;
}

/** A terminal as the caller has it: its size in characters, its name (TERM), and whether standard error goes to it too. */
export interface TerminalWish {
  readonly rows: number;
  readonly columns: number;
  readonly name: string;
  readonly stderr: boolean;
}

export type Request =
  | ({ readonly op: 'run'; readonly argv: readonly string[]; readonly terminal?: TerminalWish; readonly learn?: true } & Who)
  | ({ readonly op: 'why'; readonly target: string; readonly access: 'read' | 'write' } & Who)
  | { readonly op: 'status' }
  | MemoryRequest
  | AskingRequest
  | TokenAsked
  | AgentsRequest
  | { readonly op: 'rotate-key' }
  | { readonly op: 'environment'; readonly values: Readonly<Record<string, string>> }
  | { readonly op: 'resize'; readonly rows: number; readonly columns: number }
  | { readonly op: 'signal'; readonly signal: 'terminate' };

export interface Status {
  readonly device: string;
  readonly organisation: string;
  readonly server: string;
  /** Thumbprint (RFC 7638) of the key that signs for this device. */
  readonly key: string;
  readonly connected: boolean;
  readonly enforcing: {
    readonly digest: string;
    readonly epoch: number;
    readonly serial: number;
    readonly freshness: string;
    readonly policies: readonly string[];
  } | null;
  readonly selfTest: {
    readonly passed: boolean;
    readonly at: string;
    /** Each check that failed, and why. */
    readonly failed: readonly string[];
  } | null;
  readonly spool: { readonly waiting: number; readonly dropped: number };
  /** The newest checkpoint, with the audit log's head in it, and what did not fit the history before it. */
  readonly history: HistoryStatus;
  /** Why nothing is enforced, where that has a reason of its own. */
  readonly blocked: string | null;
  /** Until when a stop of the daemon is no tampering; what is enforced stays as it is. */
  readonly maintenance: string | null;
  /** What each resource of a run is limited by, and why that is not its control group. */
  readonly limits: ResourceMeans & { readonly without: string | null };
  readonly runs: number;
}

/** What a run is told while it lives: that it ends because of a policy, and when; null: it goes on after all. */
export interface RunNotice {
  readonly code: string;
  readonly message: string;
  readonly endsAt: string | null;
}

/** What a run is told of itself. */
export interface InsideStatus {
  readonly run: string;
  readonly parent: string | null;
  readonly agent: string;
  readonly user: string;
  /** How many runs could still be nested in it, one in another. */
  readonly levels: number;
  readonly notice: RunNotice | null;
}

export type Reply =
  | { readonly type: 'environment'; readonly names: readonly string[] }
  | { readonly type: 'started'; readonly run: string }
  /** So much of the input's window is free again. */
  | { readonly type: 'taken'; readonly cost: number }
  | ({ readonly type: 'notice' } & RunNotice)
  /** Something about the run that whoever started it should look at. */
  | { readonly type: 'finding'; readonly code: string; readonly place: string; readonly message: string }
  | { readonly type: 'ended'; readonly reason: string; readonly exitCode: number }
  | ({ readonly type: 'why'; readonly ask: Whose } & Answered)
  | { readonly type: 'status'; readonly status: Status }
  | MemoryReply
  | AskingReply
  | LearnReply
  | TokenGiven
  | AgentsReply
  | { readonly type: 'inside'; readonly status: InsideStatus }
  /** The thumbprint of the key that is in force now. */
  | { readonly type: 'rotated'; readonly key: string }
  | { readonly type: 'error'; readonly code: string; readonly message: string };

export const encode = (kind: Kind, payload: Uint8Array | string): Buffer => {
  const body = Buffer.from(payload as string);
  const header = Buffer.alloc(5);
  header[0] = kind;
  header.writeUInt32BE(body.length, 1);
  return Buffer.concat([header, body]);
};

export const encodeControl = (message: Request | Reply): Buffer => encode(KIND.control, JSON.stringify(message));

/** Splits a stream of bytes, however it is cut, into frames. @returns a function to feed; it throws CordonError `local.frame` on a kind or length that cannot be */
export const createDecoder = (onFrame: (kind: Kind, payload: Buffer) => void): ((chunk: Buffer) => void) => {
  let rest: Buffer = Buffer.alloc(0);
  const isKind = (value: number | undefined): value is Kind => value !== undefined && value <= KIND.stderr;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const kind = rest[0];
      const length = rest.readUInt32BE(1);
      if (!isKind(kind) || length > MAX_FRAME) throw new CordonError('local.frame', 'a malformed message on the local socket');
      if (rest.length < 5 + length) return;
      const payload = rest.subarray(5, 5 + length);
      rest = rest.subarray(5 + length);
      onFrame(kind, payload);
    }
  };
};
