/**
 * `cordonctl audit roots FILE`: from an export of the audit log alone, the roots of both trees under every checkpoint that it has (or that somebody holds), offline.
 * What was signed is what was decided, or the first checkpoint that differs is named.
 */
import fs from 'node:fs';
import readline from 'node:readline';
import { parseArgs } from 'node:util';
import { CordonError } from '@cordon/policy/errors.ts';
import { compareLinks, openLink, readKeptLink, type Link } from '@cordon/policy/trust/history.ts';
import { LEAVES_ACTION, LeafReplay } from '@cordon/policy/trust/leaf-log.ts';
import type { TrustedRoot } from '@cordon/policy/trust/root.ts';
import { openText, readText } from '../files.ts';
import { readOrganisation } from '../keys/organisation-file.ts';
import { verifyExport, type AuditEntry, type Outcome, type Reader } from './verify.ts';

export interface RootsOutcome extends Outcome {
  /** Checkpoints whose roots are those that the log gives; and those from before the log tells of leaves. */
  readonly matched: number;
  readonly before: number;
  /** Whether their signatures were verified too. */
  readonly signed: boolean;
}

const nameOf = ({ payload: { epoch, number, serial } }: Link): string => `checkpoint ${epoch}/${number} (serial ${serial})`;

/** Plays the log again and holds each checkpoint against it. */
class RootsReader implements Reader {
  matched = 0;
  before = 0;
  readonly #trusted: TrustedRoot | undefined;
  readonly #held: Link[];
  #replay: LeafReplay | undefined;
  #last: Link | undefined;

  /** @param held checkpoints that somebody kept, wherever they stand in the log */
  constructor(trusted: TrustedRoot | undefined, held: readonly Link[]) {
    this.#trusted = trusted;
    this.#held = [...held];
  }

  onEntry(entry: AuditEntry): string | undefined {
    if (entry.action !== LEAVES_ACTION) return this.#ofHeld(entry);
    try {
      this.#replay ??= new LeafReplay(entry.subject);
      this.#replay.apply(entry.detail);
    } catch (error) {
      if (error instanceof CordonError && error.code === 'leaves.malformed') return `cannot be played again: ${error.message}`;
      throw error;
    }
    return this.#ofHeld(entry);
  }

  async onCheckpoint(link: Link): Promise<string | undefined> {
    if (this.#trusted !== undefined) {
      const opened = await openLink(link.jws, this.#trusted.everKeys('checkpoint')).catch((error: unknown) => error);
      if (opened instanceof CordonError) return `${nameOf(link)} is not signed by this organisation (${opened.code})`;
      if (opened instanceof Error) throw opened;
    }
    const last = this.#last;
    this.#last = link;
    if (last !== undefined) {
      const { relation, findings } = compareLinks(last, link);
      if (findings[0] !== undefined) return `${nameOf(link)} does not go on from ${nameOf(last)} (${findings[0].code})`;
      if (relation === 'apart') return `${nameOf(link)} comes where others between it and ${nameOf(last)} are missing`;
    }
    return this.#compare(link);
  }

  get missing(): Link | undefined {
    return this.#held[0];
  }

  /** Those that somebody kept, and that carry this entry as the log's head. */
  #ofHeld({ seq, hash }: AuditEntry): string | undefined {
    const due = this.#held.filter(({ payload }) => payload.audit.seq === seq);
    for (const link of due) {
      this.#held.splice(this.#held.indexOf(link), 1);
      if (link.payload.audit.head !== hash) return `${nameOf(link)}, which somebody holds, carries another head of the log`;
      const why = this.#compare(link);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  #compare(link: Link): string | undefined {
    if (this.#replay === undefined) {
      this.before += 1;
      return undefined;
    }
    if (this.#replay.isOpen) return `${nameOf(link)} comes in the middle of a change`;
    const { members, cohorts } = this.#replay.roots();
    for (const [name, signed, told] of [
      ['members', link.payload.members, members],
      ['cohorts', link.payload.cohorts, cohorts],
    ] as const)
      if (signed.size !== told.size || signed.root !== told.root)
        return `${nameOf(link)} has another ${name} root than the log gives: ${signed.root} of ${signed.size}, not ${told.root} of ${told.size}`;
    this.matched += 1;
    return undefined;
  }
}

/** @param held checkpoints from elsewhere: a device, a witness, a finding */
export const replayExport = async (
  lines: AsyncIterable<string>,
  trusted: TrustedRoot | undefined,
  held: readonly Link[] = [],
): Promise<RootsOutcome> => {
  const reader = new RootsReader(trusted, held);
  const outcome = await verifyExport(lines, [], reader);
  const { matched, before, missing } = reader;
  const bad =
    outcome.bad ??
    (missing === undefined
      ? undefined
      : { line: outcome.entries + 1, seq: missing.payload.audit.seq, why: `is missing: ${nameOf(missing)} carries it as the log's head` });
  return { ...outcome, bad, matched, before, signed: trusted !== undefined };
};

const heldIn = (file: string): Link[] =>
  readText(file)
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((jws) => {
      const link = readKeptLink(jws);
      if (link === undefined)
        throw new CordonError('cli.usage', `${file} has something else than checkpoints as compact JWS`, { place: file });
      return link;
    });

export const rootsCommand = async (args: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      organisation: { type: 'string' },
      checkpoint: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
    },
  });
  const [file] = positionals;
  if (file === undefined) throw new CordonError('cli.usage', 'cordonctl audit roots FILE [--organisation FILE] [--checkpoint FILE...]');
  // Its keys count for what they signed in their time, also after it is over.
  const trusted = values.organisation === undefined ? undefined : (await readOrganisation(values.organisation, new Date(0))).trusted;
  const input = file === '-' ? process.stdin : fs.createReadStream('', { fd: openText(file) });
  const lines = readline.createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const held = values.checkpoint.flatMap(heldIn);
  if (trusted !== undefined) for (const { jws } of held) await openLink(jws, trusted.everKeys('checkpoint'));
  const outcome = await replayExport(lines, trusted, held);
  const { matched, before, bad, signed, head } = outcome;
  const counts = `${matched} checkpoints have the roots that the log gives${before > 0 ? `, ${before} are from before it tells of them` : ''}`;
  if (values.json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
  else if (bad !== undefined) process.stdout.write(`row ${bad.line} ${bad.why}; before it ${counts}\n`);
  else
    process.stdout.write(
      `${counts}; ${signed ? 'all are signed' : 'signatures were not checked: give --organisation'}; the head is ${head.seq}:${head.hash}\n`,
    );
  if (bad === undefined && matched === 0)
    process.stderr.write('nothing was compared: export with ?checkpoints=true, or give --checkpoint\n');
  return bad === undefined && matched > 0 ? 0 : 1;
};
