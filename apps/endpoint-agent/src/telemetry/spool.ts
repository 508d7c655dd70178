/**
 * The spool: events on disk until the control plane has them. Numbered and hash-linked per boot, bounded, deleted on acknowledgement. It never blocks or
 * fails a run: what cannot be kept is counted, and the count is an event of its own.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent, TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { FIRST_BATCH, batchHash } from '@cordon/policy/protocol/batch.ts';
import { readJson, writeDurably } from '../durable.ts';

const MAX_BATCH_EVENTS = 200;
const MAX_BATCH_BYTES = 131_072;

/** How far a boot's chain is acknowledged, and the batch that was sent last: a retry sends exactly the same. */
interface Head {
  readonly acked: number;
  readonly hash: string;
  readonly sentTo: number | null;
}

interface Boot {
  readonly id: string;
  readonly file: string;
  head: Head;
  /** Events that are on disk and not acknowledged, oldest first. */
  events: TelemetryEvent[];
}

export interface Spool {
  readonly boot: string;
  append(event: NewEvent): void;
  /** The next batch to send, the same one until it is acknowledged. */
  next(): TelemetryFrame | undefined;
  acknowledge(boot: string, seq: number): void;
  readonly depth: () => number;
  readonly dropped: () => number;
}

const headFile = (boot: Pick<Boot, 'file'>): string => `${boot.file}.head`;
const fresh: Head = { acked: 0, hash: FIRST_BATCH, sentTo: null };

/** Whole lines only: a line that a crash cut in half never was an event. */
const readEvents = (file: string, after: number): TelemetryEvent[] =>
  fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      try {
        const event = JSON.parse(line) as TelemetryEvent;
        return event.seq > after ? [event] : [];
      } catch {
        return []; // torn by a crash
      }
    });

const batchOf = (boot: Boot): TelemetryFrame | undefined => {
  const { sentTo, acked, hash: prev } = boot.head;
  const events: TelemetryEvent[] = [];
  let bytes = 0;
  for (const event of boot.events) {
    bytes += JSON.stringify(event).length;
    if (sentTo === null ? events.length > 0 && (events.length >= MAX_BATCH_EVENTS || bytes > MAX_BATCH_BYTES) : event.seq > sentTo) break;
    events.push(event);
  }
  const last = events.at(-1);
  if (last === undefined) return undefined;
  const batch = { boot: boot.id, seqFrom: acked + 1, seqTo: last.seq, prev, events };
  return { type: 'telemetry', ...batch, hash: batchHash(batch) };
};

/**
 * @param folder only the daemon's account may enter it
 * @param bootId of this start of the daemon; events of earlier ones that were never acknowledged are sent first
 */
export const openSpool = (folder: string, bootId: string, maxBytes: number, now: () => Date): Spool => {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const boots: Boot[] = fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => {
      const file = path.join(folder, name);
      const head = (readJson(`${file}.head`) as Head | undefined) ?? fresh;
      return { id: name.slice(0, -'.jsonl'.length), file, head, events: readEvents(file, head.acked) };
    });
  const remove = (boot: Boot): void => {
    fs.rmSync(boot.file, { force: true });
    fs.rmSync(headFile(boot), { force: true });
  };
  for (const boot of boots.filter(({ events }) => events.length === 0)) remove(boot);
  const waiting = boots.filter(({ events }) => events.length > 0);
  const current: Boot = { id: bootId, file: path.join(folder, `${bootId}.jsonl`), head: fresh, events: [] };
  waiting.push(current);
  let seq = 0;
  let used = waiting.reduce((sum, boot) => sum + (fs.statSync(boot.file, { throwIfNoEntry: false })?.size ?? 0), 0);
  let lost = 0;
  let lostInAll = 0;

  /** @returns whether it is on disk now */
  const write = (event: NewEvent): boolean => {
    const numbered: TelemetryEvent = { ...event, seq: seq + 1, at: now().toISOString() };
    const line = `${JSON.stringify(numbered)}\n`;
    const size = Buffer.byteLength(line);
    if (used + size > maxBytes) return false;
    try {
      fs.appendFileSync(current.file, line, { mode: 0o600 });
    } catch {
      return false; // disk full or gone: counted by the caller
    }
    seq += 1;
    used += size;
    current.events.push(numbered);
    return true;
  };
  const saveHead = (boot: Boot, head: Head): void => {
    boot.head = head;
    try {
      writeDurably(headFile(boot), JSON.stringify(head));
    } catch {
      boot.head = head; // a full disk: the worst that follows is a batch that the control plane already has
    }
  };
  return {
    boot: bootId,
    append: (event) => {
      if (lost > 0 && write({ kind: 'dropped', count: lost, code: 'spool.full' })) lost = 0;
      if (lost === 0 && write(event)) return;
      lost += 1;
      lostInAll += 1;
    },
    next: () => {
      const boot = waiting.find(({ events }) => events.length > 0);
      const batch = boot && batchOf(boot);
      if (boot !== undefined && batch !== undefined && boot.head.sentTo === null) saveHead(boot, { ...boot.head, sentTo: batch.seqTo });
      return batch;
    },
    acknowledge: (id, upTo) => {
      const boot = waiting.find((candidate) => candidate.id === id);
      const batch = boot && batchOf(boot);
      if (boot === undefined || batch === undefined || batch.seqTo > upTo) return;
      boot.events = boot.events.filter((event) => event.seq > batch.seqTo);
      saveHead(boot, { acked: batch.seqTo, hash: batch.hash, sentTo: null });
      if (boot.events.length > 0) return;
      used -= fs.statSync(boot.file, { throwIfNoEntry: false })?.size ?? 0;
      if (boot === current) fs.rmSync(boot.file, { force: true });
      else {
        remove(boot);
        waiting.splice(waiting.indexOf(boot), 1);
      }
    },
    depth: () => waiting.reduce((sum, boot) => sum + boot.events.length, 0),
    dropped: () => lostInAll,
  };
};
