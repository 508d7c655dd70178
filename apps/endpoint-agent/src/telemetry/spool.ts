/**
 * The spool: events on disk until the control plane has them. Numbered and hash-linked per boot, bounded, deleted on acknowledgement. It never blocks or
 * fails a run: what cannot be kept is counted, and the count is an event of its own.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ordered } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent, TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import {
  batchOf,
  bytesOf,
  headFile,
  isEvent,
  isUnsigned,
  lineOf,
  nameAfter,
  newChain,
  readChain,
  readSpent,
  rewrite,
  saveHead,
  type Chain,
} from './chain.ts';
import { LOST_FILE, openLostCount } from './lost-count.ts';

/** Kept free of ordinary events, so that the count of what did not fit always does. */
const RESERVE = 1024;
/** What runs can cause any number of: it gets three quarters, and the rest is for what tells of runs, policies, tests, tampering and the daemon. */
const ORDINARY: ReadonlySet<NewEvent['kind']> = new Set(['egress', 'file', 'audit', 'launch.refused']);
/** Acknowledged bytes that may lie in a file before it is written anew without them. */
const STALE_BYTES = 1_048_576;
/** Chains of which only the head waits, to be signed; there are more only when no control plane ever answers. */
const MOST_SPENT = 256;

/** The acknowledged end of a chain that is not signed yet. */
export interface UnsignedHead {
  readonly boot: string;
  readonly seq: number;
  readonly hash: string;
  /** Events since the last signed one. */
  readonly unsigned: number;
  /** Nothing more comes under this name. */
  readonly ended: boolean;
}

export interface Spool {
  readonly boot: string;
  append(event: NewEvent): void;
  /** @param listener told after each append: whoever sends need not look all the time */
  onAppend(listener: () => void): void;
  /** The next batch to send, the same one until it is acknowledged. */
  next(): TelemetryFrame | undefined;
  acknowledge(boot: string, seq: number): void;
  /** The control plane cannot continue the chain of the next batch (one of the two lost its end): what waits goes on under a new one. */
  rechain(): void;
  /** The control plane will never take the next batch: its events are given up, and counted. */
  giveUp(): void;
  heads(): readonly UnsignedHead[];
  /** The control plane has the signed head. */
  headStored(boot: string, seq: number): void;
  readonly depth: () => number;
  readonly dropped: () => number;
  /** Writes down what was dropped and not told yet. */
  close(): void;
}

const removeFiles = (chain: Chain): void => {
  for (const file of [chain.file, headFile(chain)]) fs.rmSync(file, { force: true });
};

/** Takes away the half of a line that was written, which would spoil the next one. */
const cutBack = ({ file, size }: Chain): void => {
  try {
    fs.truncateSync(file, size);
  } catch {
    return; // the disk is gone altogether, or there was no file yet
  }
};

/** Chains of earlier boots that hold something or whose end is not signed, the oldest first. Files of chains that are done with go away. */
const readChains = (folder: string): Chain[] => {
  const names = fs.readdirSync(folder);
  const ids = names.filter((name) => name.endsWith('.jsonl')).map((name) => name.slice(0, -'.jsonl'.length));
  // A chain that goes on under another name was left behind by a crash between the two files: its events stand in the other.
  const found = ids.filter((id) => !ids.includes(nameAfter(id))).map((id) => readChain(folder, `${id}.jsonl`));
  const waiting = found.filter(({ events }) => events.length > 0);
  const named = new Set(waiting.map(({ id }) => id));
  const spent = names
    .filter((name) => name.endsWith('.jsonl.head') && !named.has(name.slice(0, -'.jsonl.head'.length)))
    .map((name) => readSpent(folder, name.slice(0, -'.jsonl.head'.length)))
    .filter(isUnsigned)
    .slice(0, MOST_SPENT);
  const files = new Set(
    [LOST_FILE, ...waiting.flatMap((chain) => [chain.file, headFile(chain)]), ...spent.map(headFile)].map((file) => path.basename(file)),
  );
  for (const name of names) if (!files.has(name)) fs.rmSync(path.join(folder, name), { force: true });
  const kept = waiting.map((chain) => {
    const after = newChain(folder, nameAfter(chain.id), chain.events);
    if (chain.whole || !rewrite(after)) return chain;
    fs.rmSync(chain.file, { force: true });
    if (isUnsigned(chain)) spent.push({ ...chain, events: [] });
    else removeFiles(chain);
    return after;
  });
  return [...spent, ...kept.sort((a, b) => ((a.events[0]?.at ?? '') < (b.events[0]?.at ?? '') ? -1 : 1))];
};

/**
 * @param folder only the daemon's account may enter it
 * @param bootId of this start of the daemon; events of earlier ones that were never acknowledged are sent first
 */
export const openSpool = (folder: string, bootId: string, maxBytes: number, now: () => Date): Spool => {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  let current = newChain(folder, bootId);
  const chains = [...readChains(folder), current];
  const lost = openLostCount(folder, (at) => chains.some(({ events }) => events.at(-1)?.at === at && events.at(-1)?.kind === 'dropped'));
  let lostInAll = 0;
  let appended = (): void => undefined;

  /** @returns whether it is on disk now */
  const write = (event: NewEvent, limit: number, at = now().toISOString()): boolean => {
    const numbered = ordered({ ...event, seq: current.seq + 1, at });
    const line = lineOf(numbered);
    const size = Buffer.byteLength(line);
    if (!isEvent(numbered) || chains.reduce((sum, chain) => sum + chain.size, size) > limit) return false;
    try {
      fs.appendFileSync(current.file, line, { mode: 0o600 });
    } catch {
      cutBack(current);
      return false; // disk full or gone: counted by the caller
    }
    current.seq += 1;
    current.size += size;
    current.events.push(numbered);
    return true;
  };
  /** A chain that holds nothing any more. Its head stays while it is to be signed, and where the numbers go on. */
  const empty = (chain: Chain): void => {
    [chain.events, chain.size, chain.stale, chain.batch] = [[], 0, 0, undefined];
    fs.rmSync(chain.file, { force: true });
    if (chain === current || isUnsigned(chain)) return;
    removeFiles(chain);
    chains.splice(chains.indexOf(chain), 1);
  };
  const first = (): Chain | undefined => chains.find(({ events }) => events.length > 0);
  const next = (): TelemetryFrame | undefined => {
    const chain = first();
    if (chain === undefined || chain.batch !== undefined) return chain?.batch;
    chain.batch = batchOf(chain);
    if (chain.batch !== undefined && chain.head.sentTo === null) saveHead(chain, { ...chain.head, sentTo: chain.batch.seqTo });
    return chain.batch;
  };
  /** @returns false on a full disk: it is tried again when the control plane complains again */
  const restart = (chain: Chain, events: readonly TelemetryEvent[]): boolean => {
    const after = newChain(folder, nameAfter(chain.id), events);
    if (!rewrite(after)) return false;
    chains.splice(chains.indexOf(chain) + 1, 0, after);
    if (chain === current) current = after;
    empty(chain);
    return true;
  };
  const tell = (limit: number): void => {
    if (lost.count() === 0) return;
    const at = now().toISOString();
    lost.telling(at);
    if (write({ kind: 'dropped', count: lost.count(), code: 'spool.full' }, limit, at)) lost.told();
  };
  return {
    boot: bootId,
    append: (event) => {
      const limit = ORDINARY.has(event.kind) ? Math.floor(maxBytes * 0.75) : maxBytes - RESERVE;
      tell(limit);
      if (lost.count() > 0 || !write(event, limit)) {
        lost.add();
        lostInAll += 1;
      }
      appended();
    },
    onAppend: (listener) => {
      appended = listener;
    },
    next,
    acknowledge: (id, upTo) => {
      const chain = chains.find((candidate) => candidate.id === id);
      if (chain === undefined || upTo <= chain.head.acked) return;
      const sent = chain.batch ?? batchOf(chain);
      // What is committed may end within the batch, when an earlier one was made of its first events and that could not be written down.
      const taken = sent === undefined || sent.seqTo <= upTo ? sent : batchOf({ ...chain, head: { ...chain.head, sentTo: upTo } });
      if (taken === undefined) return;
      chain.stale += bytesOf(taken.events);
      chain.events = chain.events.filter((event) => event.seq > taken.seqTo);
      chain.batch = undefined;
      saveHead(chain, { ...chain.head, acked: taken.seqTo, hash: taken.hash, sentTo: null });
      if (chain.events.length === 0) empty(chain);
      else if (chain.stale > STALE_BYTES) rewrite(chain);
    },
    rechain: () => {
      const chain = first();
      if (chain !== undefined) restart(chain, chain.events);
    },
    giveUp: () => {
      const chain = first();
      const batch = next();
      if (chain === undefined || batch === undefined) return;
      const count = batch.events.length;
      const dropped: TelemetryEvent = { seq: 0, at: now().toISOString(), kind: 'dropped', count, code: 'spool.refused' };
      // The numbers of the batch are never taken, so what follows needs another chain.
      if (restart(chain, [...chain.events.filter((event) => event.seq > batch.seqTo), ordered(dropped)])) lostInAll += count;
    },
    heads: () =>
      chains.filter(isUnsigned).map((chain) => {
        const { acked: seq, hash, signed } = chain.head;
        return { boot: chain.id, seq, hash, unsigned: seq - signed, ended: chain !== current && chain.events.length === 0 };
      }),
    headStored: (id, seq) => {
      const chain = chains.find((candidate) => candidate.id === id);
      if (chain === undefined || seq <= chain.head.signed || seq > chain.head.acked) return;
      saveHead(chain, { ...chain.head, signed: seq });
      if (chain.events.length === 0) empty(chain);
    },
    depth: () => chains.reduce((sum, { events }) => sum + events.length, 0),
    dropped: () => lostInAll,
    close: () => tell(maxBytes),
  };
};
