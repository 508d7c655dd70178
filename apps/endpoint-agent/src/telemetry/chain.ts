/** One hash-linked chain of events in a file: those of one boot of the daemon, or what goes on of them under a new name. */
import fs from 'node:fs';
import path from 'node:path';
import { Compile } from 'typebox/compile';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import { TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { FIRST_BATCH, batchHash } from '@cordon/policy/protocol/batch.ts';
import { readJson, writeDurably } from '../durable.ts';

const MAX_BATCH_EVENTS = 200;
const MAX_BATCH_BYTES = 131_072;

/** How far a chain is acknowledged, the batch that was sent last (a retry sends exactly the same), and how far the control plane has a signed head. */
export interface Head {
  readonly acked: number;
  readonly hash: string;
  readonly sentTo: number | null;
  readonly signed: number;
}

export interface Chain {
  readonly id: string;
  readonly file: string;
  head: Head;
  /** Events that are on disk and not acknowledged, oldest first. */
  events: TelemetryEvent[];
  /** Number of the last event. */
  seq: number;
  /** Bytes in the file, and how many of them are acknowledged. */
  size: number;
  stale: number;
  /** The batch that waits for its acknowledgement. */
  batch: TelemetryFrame | undefined;
}

const Event = Compile(TelemetryEvent);
/** An event that the control plane would not understand must not stand in the way of all others. */
export const isEvent = (value: unknown): value is TelemetryEvent => Event.Check(value);

export const headFile = ({ file }: Pick<Chain, 'file'>): string => `${file}.head`;
export const lineOf = (event: TelemetryEvent): string => `${JSON.stringify(event)}\n`;
export const bytesOf = (events: readonly TelemetryEvent[]): number =>
  events.reduce((sum, event) => sum + Buffer.byteLength(lineOf(event)), 0);

export const newChain = (folder: string, id: string, events: readonly TelemetryEvent[] = []): Chain => ({
  id,
  file: path.join(folder, `${id}.jsonl`),
  head: { acked: 0, hash: FIRST_BATCH, sentTo: null, signed: 0 },
  events: events.map((event, i) => ({ ...event, seq: i + 1 })),
  seq: events.length,
  size: 0,
  stale: 0,
  batch: undefined,
});

/** Whole lines only: a line that a crash cut in half never was an event. */
const readEvents = (file: string, after: number): TelemetryEvent[] =>
  fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      try {
        const event: unknown = JSON.parse(line);
        return isEvent(event) && event.seq > after ? [event] : [];
      } catch {
        return []; // torn by a crash
      }
    });

/** A head file that an earlier version wrote does not say how far it is signed. */
const readHead = (file: string): Head | undefined => {
  const head = readJson(headFile({ file })) as Head | undefined;
  return head === undefined ? undefined : { ...head, signed: head.signed ?? 0 };
};

/** Whether something is acknowledged that no signed head covers yet. */
export const isUnsigned = ({ head }: Pick<Chain, 'head'>): boolean => head.acked > head.signed;

/** Where the next chain after this one is called: `boot_x`, `boot_x-1`, `boot_x-2`. */
export const nameAfter = (id: string): string => {
  const [, base = id, number = '0'] = /^(.*?)(?:-(\d{1,6}))?$/.exec(id) ?? [];
  return `${base}-${Number(number) + 1}`;
};

/** @returns a chain of which nothing is left but its head */
export const readSpent = (folder: string, id: string): Chain => {
  const chain = newChain(folder, id);
  return { ...chain, head: readHead(chain.file) ?? chain.head };
};

/** @returns the chain of a file; `whole` is false when events are missing in between, so that nobody would take it as it is */
export const readChain = (folder: string, name: string): Chain & { readonly whole: boolean } => {
  const file = path.join(folder, name);
  const id = name.slice(0, -'.jsonl'.length);
  const head = readHead(file) ?? newChain(folder, id).head;
  const events = readEvents(file, head.acked);
  const { size } = fs.statSync(file);
  const whole = events.every(({ seq }, i) => seq === head.acked + 1 + i);
  return {
    id,
    file,
    head,
    events,
    seq: events.at(-1)?.seq ?? head.acked,
    size,
    stale: Math.max(0, size - bytesOf(events)),
    batch: undefined,
    whole,
  };
};

export const batchOf = ({ id, head, events: waiting }: Chain): TelemetryFrame | undefined => {
  const { sentTo, acked, hash: prev } = head;
  const events: TelemetryEvent[] = [];
  let bytes = 0;
  for (const event of waiting) {
    bytes += JSON.stringify(event).length;
    if (sentTo === null ? events.length > 0 && (events.length >= MAX_BATCH_EVENTS || bytes > MAX_BATCH_BYTES) : event.seq > sentTo) break;
    events.push(event);
  }
  const last = events.at(-1);
  if (last === undefined) return undefined;
  const batch = { boot: id, seqFrom: acked + 1, seqTo: last.seq, prev, events };
  return { type: 'telemetry', ...batch, hash: batchHash(batch) };
};

/** Writes a chain's file anew, without what is acknowledged. @returns false on a full disk: it stays as it is */
export const rewrite = (chain: Chain): boolean => {
  const text = chain.events.map(lineOf).join('');
  try {
    writeDurably(chain.file, text);
  } catch {
    return false;
  }
  [chain.size, chain.stale] = [Buffer.byteLength(text), 0];
  return true;
};

export const saveHead = (chain: Chain, head: Head): void => {
  chain.head = head;
  try {
    writeDurably(headFile(chain), JSON.stringify(head));
  } catch {
    chain.head = head; // a full disk: the worst that follows is a batch that the control plane already has
  }
};
