/**
 * The spool: events on disk until the control plane has them. Numbered and hash-linked per boot, bounded, deleted on acknowledgement. It never blocks or
 * fails a run: what cannot be kept is counted, and the count is an event of its own.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ordered } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent, TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { batchOf, bytesOf, headFile, isEvent, lineOf, newChain, readChain, rewrite, saveHead, type Chain } from './chain.ts';

/** Kept free of ordinary events, so that the count of what did not fit always does. */
const RESERVE = 1024;
/** Acknowledged bytes that may lie in a file before it is written anew without them. */
const STALE_BYTES = 1_048_576;

export interface Spool {
  readonly boot: string;
  append(event: NewEvent): void;
  /** The next batch to send, the same one until it is acknowledged. */
  next(): TelemetryFrame | undefined;
  acknowledge(boot: string, seq: number): void;
  /** The control plane cannot continue the chain of the next batch (one of the two lost its end): what waits goes on under a new one. */
  rechain(): void;
  /** The control plane will never take the next batch: its events are given up, and counted. */
  giveUp(): void;
  readonly depth: () => number;
  readonly dropped: () => number;
  /** Writes down what was dropped and not told yet. */
  close(): void;
}

/** Where the next chain after this one is called: `boot_x`, `boot_x-1`, `boot_x-2`. */
const nameAfter = (id: string): string => {
  const [, base = id, number = '0'] = /^(.*?)(?:-(\d{1,6}))?$/.exec(id) ?? [];
  return `${base}-${Number(number) + 1}`;
};

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

/** Chains of earlier boots that hold something, the oldest first. Files of chains that are done with go away. */
const readChains = (folder: string): Chain[] => {
  const names = fs.readdirSync(folder);
  const found = names.filter((name) => name.endsWith('.jsonl')).map((name) => readChain(folder, name));
  const kept = found.filter(({ events }) => events.length > 0);
  const files = new Set(kept.flatMap((chain) => [chain.file, headFile(chain)]));
  for (const name of names) if (!files.has(path.join(folder, name))) fs.rmSync(path.join(folder, name), { force: true });
  return kept
    .map((chain) => {
      const after = newChain(folder, nameAfter(chain.id), chain.events);
      if (chain.whole || !rewrite(after)) return chain;
      removeFiles(chain);
      return after;
    })
    .sort((a, b) => ((a.events[0]?.at ?? '') < (b.events[0]?.at ?? '') ? -1 : 1));
};

/**
 * @param folder only the daemon's account may enter it
 * @param bootId of this start of the daemon; events of earlier ones that were never acknowledged are sent first
 */
export const openSpool = (folder: string, bootId: string, maxBytes: number, now: () => Date): Spool => {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  let current = newChain(folder, bootId);
  const chains = [...readChains(folder), current];
  let lost = 0;
  let lostInAll = 0;

  /** @returns whether it is on disk now */
  const write = (event: NewEvent, limit: number): boolean => {
    const numbered = ordered({ ...event, seq: current.seq + 1, at: now().toISOString() });
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
  /** A chain that holds nothing any more; the numbers of the one that is written to go on, so its head stays. */
  const empty = (chain: Chain): void => {
    if (chain === current) fs.rmSync(chain.file, { force: true });
    else {
      removeFiles(chain);
      chains.splice(chains.indexOf(chain), 1);
    }
    [chain.size, chain.stale] = [0, 0];
  };
  const first = (): Chain | undefined => chains.find(({ events }) => events.length > 0);
  const next = (): TelemetryFrame | undefined => {
    const chain = first();
    if (chain === undefined || chain.batch !== undefined) return chain?.batch;
    chain.batch = batchOf(chain);
    if (chain.batch !== undefined && chain.head.sentTo === null) saveHead(chain, { ...chain.head, sentTo: chain.batch.seqTo });
    return chain.batch;
  };
  const restart = (chain: Chain, events: readonly TelemetryEvent[]): void => {
    const after = newChain(folder, nameAfter(chain.id), events);
    if (!rewrite(after)) return; // a full disk: tried again when the control plane complains again
    chains[chains.indexOf(chain)] = after;
    if (chain === current) current = after;
    removeFiles(chain);
  };
  const tell = (limit: number): void => {
    if (lost > 0 && write({ kind: 'dropped', count: lost, code: 'spool.full' }, limit)) lost = 0;
  };
  return {
    boot: bootId,
    append: (event) => {
      tell(maxBytes - RESERVE);
      if (lost === 0 && write(event, maxBytes - RESERVE)) return;
      lost += 1;
      lostInAll += 1;
    },
    next,
    acknowledge: (id, upTo) => {
      const chain = chains.find((candidate) => candidate.id === id);
      const batch = chain?.batch ?? (chain && batchOf(chain));
      if (chain === undefined || batch === undefined || batch.seqTo > upTo) return;
      chain.stale += bytesOf(batch.events);
      chain.events = chain.events.filter((event) => event.seq > batch.seqTo);
      chain.batch = undefined;
      saveHead(chain, { acked: batch.seqTo, hash: batch.hash, sentTo: null });
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
      // The numbers of the batch are never taken, so what follows needs another chain.
      restart(
        chain,
        chain.events.filter((event) => event.seq > batch.seqTo),
      );
      lostInAll += batch.events.length;
      if (!write({ kind: 'dropped', count: batch.events.length, code: 'spool.refused' }, maxBytes)) lost += batch.events.length;
    },
    depth: () => chains.reduce((sum, { events }) => sum + events.length, 0),
    dropped: () => lostInAll,
    close: () => tell(maxBytes),
  };
};
