/** `cordonctl audit verify FILE`: an export of the audit log (one entry a line, oldest first), checked offline. Names the first bad row. */
import fs from 'node:fs';
import readline from 'node:readline';
import { parseArgs } from 'node:util';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_CHECKPOINT } from '@cordon/policy/protocol/history.ts';
import { Time } from '@cordon/policy/protocol/time.ts';
import { entryHash, GENESIS } from '@cordon/policy/trust/audit-chain.ts';
import { readKeptLink, type Link } from '@cordon/policy/trust/history.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { openText } from '../files.ts';

const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Entry = Type.Object(
  {
    seq: Type.Integer({ minimum: 1 }),
    at: Time,
    actor: Type.String(),
    action: Type.String(),
    subject: Type.String(),
    detail: Type.Record(Type.String(), Type.Unknown()),
    prevHash: Hash,
    hash: Hash,
  },
  { additionalProperties: false },
);
const validator = Compile(Entry);

/** A head that somebody kept: a device, a witness, an earlier export. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

export interface Outcome {
  readonly entries: number;
  readonly head: Head;
  /** The first row that does not hold, counted from 1, and why. */
  readonly bad: { readonly line: number; readonly seq: number | undefined; readonly why: string } | undefined;
}

/** An export can have checkpoints too, each after the entry that it carries as the log's head. */
const CheckpointLine = Compile(Type.Object({ checkpoint: Type.String({ maxLength: MAX_CHECKPOINT }) }, { additionalProperties: false }));

export type AuditEntry = Static<typeof Entry>;

/** What else is asked of an export, while it is read. Each says what is wrong, if anything is. */
export interface Reader {
  onEntry(entry: AuditEntry): string | undefined;
  onCheckpoint(link: Link): Promise<string | undefined>;
}

const readLine = (text: string): AuditEntry | Link | undefined => {
  try {
    const value = parseStrictJson(text, { maxBytes: 1_048_576, maxDepth: 16 });
    if (CheckpointLine.Check(value)) return readKeptLink(value.checkpoint);
    return validator.Check(value) ? value : undefined;
  } catch (error) {
    if (error instanceof CordonError) return undefined;
    throw error;
  }
};

/**
 * Streams: memory does not grow with the log.
 * @param heads each must stand in the log: what was cut off its end, or built anew, is found by heads that others hold
 */
export const verifyExport = async (lines: AsyncIterable<string>, heads: readonly Head[], reader?: Reader): Promise<Outcome> => {
  let previous: Head = { seq: 0, hash: GENESIS };
  let [number, entries] = [0, 0];
  const bad = (seq: number | undefined, why: string): Outcome => ({ entries, head: previous, bad: { line: number, seq, why } });
  for await (const text of lines) {
    if (text === '') continue;
    number += 1;
    const entry = readLine(text);
    if (entry === undefined) return bad(undefined, 'is not an entry of the audit log');
    if ('payload' in entry) {
      const { audit } = entry.payload;
      if (audit.seq !== previous.seq || audit.head !== previous.hash)
        return bad(undefined, `is a checkpoint that carries another head of the log, ${audit.seq}:${audit.head}`);
      const why = await reader?.onCheckpoint(entry);
      if (why !== undefined) return bad(undefined, why);
      continue;
    }
    if (entry.seq !== previous.seq + 1)
      return bad(entry.seq, `has number ${entry.seq} where ${previous.seq + 1} comes: an entry was taken out, put in or moved`);
    if (entry.prevHash !== previous.hash) return bad(entry.seq, 'does not follow the entry before it');
    if (entryHash(previous.hash, { ...entry, at: new Date(entry.at) }) !== entry.hash)
      return bad(entry.seq, 'was changed: its hash is not that of its content');
    if (heads.some(({ seq, hash }) => seq === entry.seq && hash !== entry.hash))
      return bad(entry.seq, 'is not the entry that the given head was made of: the log was built anew');
    const why = reader?.onEntry(entry);
    if (why !== undefined) return bad(entry.seq, why);
    previous = { seq: entry.seq, hash: entry.hash };
    entries += 1;
  }
  const cut = heads.find(({ seq }) => seq > previous.seq);
  if (cut === undefined) return { entries, head: previous, bad: undefined };
  number += 1;
  return bad(cut.seq, `is missing: somebody holds the head of entry ${cut.seq}, and the log ends at ${previous.seq}`);
};

const headFrom = (text: string): Head => {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new CordonError('cli.usage', `--head is SEQ:HASH as a checkpoint carries it, not ${text}`);
  return { seq: Number(seq), hash };
};

export const verifyCommand = async (args: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { head: { type: 'string', multiple: true, default: [] }, json: { type: 'boolean', default: false } },
  });
  const [file] = positionals;
  if (file === undefined) throw new CordonError('cli.usage', 'cordonctl audit verify FILE [--head SEQ:HASH...]');
  const heads = values.head.map(headFrom);
  const input = file === '-' ? process.stdin : fs.createReadStream('', { fd: openText(file) });
  const outcome = await verifyExport(readline.createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }), heads);
  const { entries, head, bad } = outcome;
  if (values.json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
  else if (bad === undefined) process.stdout.write(`${entries} entries hold; the head is ${head.seq}:${head.hash}\n`);
  else process.stdout.write(`row ${bad.line} ${bad.why}; the ${entries} entries before it hold, up to ${head.seq}:${head.hash}\n`);
  return bad === undefined ? 0 : 1;
};
