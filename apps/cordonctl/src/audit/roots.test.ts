import { describe, expect, it } from 'vitest';
import { entryHash, GENESIS } from '@cordon/policy/trust/audit-chain.ts';
import { linkTo, payloadAfter } from '@cordon/policy/trust/_chain.ts';
import type { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { Link } from '@cordon/policy/trust/history.ts';
import { LEAVES_ACTION, leafEntries, LeafReplay, type LeafChanges } from '@cordon/policy/trust/leaf-log.ts';
import { replayExport, type RootsOutcome } from './roots.ts';

/** An export as a control plane writes it: what is decided, then the checkpoint that covers it. */
class Log {
  readonly lines: string[] = [];
  readonly links: Link[] = [];
  #seq = 0;
  #hash = GENESIS;
  readonly #replay = new LeafReplay('org_a');

  entry(action: string, detail: Record<string, unknown>): void {
    const facts = { seq: (this.#seq += 1), at: new Date(1_800_000_000_000 + this.#seq), actor: 'system', action, subject: 'org_a', detail };
    const hash = entryHash(this.#hash, facts);
    this.lines.push(JSON.stringify({ ...facts, at: facts.at.toISOString(), prevHash: this.#hash, hash }));
    this.#hash = hash;
  }

  transition(changes: LeafChanges): void {
    for (const entry of leafEntries(changes)) {
      this.entry(LEAVES_ACTION, entry);
      this.#replay.apply(entry);
    }
    this.checkpoint();
  }

  checkpoint(change: Partial<CheckpointPayload> = {}): Link {
    const audit = { seq: this.#seq, head: this.#hash };
    const link = linkTo(payloadAfter(this.links, { serial: this.links.length, audit, ...this.#replay.roots(), ...change }));
    this.links.push(link);
    this.lines.push(JSON.stringify({ checkpoint: link.jws }));
    return link;
  }
}

const cohort = (index: number, serial: number): LeafChanges['cohorts'][0] => ({
  index,
  id: `coh_${index}`,
  serial,
  digest: sha256Hex(`${index} ${serial}`),
});
const written = (): Log => {
  const log = new Log();
  log.entry('organisation.create', {});
  log.transition({
    serial: 1,
    cohorts: [cohort(0, 1)],
    joined: [0, 1, 2].map((index) => ({ index, id: `dev_${index}` })),
    placed: [0, 1, 2].map((index) => ({ index, cohort: 0 })),
  });
  log.entry('group.create', { name: 'x' });
  log.transition({ serial: 2, cohorts: [cohort(1, 2)], joined: [], placed: [{ index: 1, cohort: 1 }] });
  log.checkpoint();
  log.transition({ serial: 3, cohorts: [cohort(0, 3)], joined: [], placed: [{ index: 2, cohort: undefined }] });
  return log;
};
async function* each(texts: readonly string[]): AsyncGenerator<string> {
  yield* texts;
}
const replay = (lines: readonly string[], held: readonly Link[] = []): Promise<RootsOutcome> => replayExport(each(lines), undefined, held);
const why = async (lines: readonly string[], held: readonly Link[] = []): Promise<string | undefined> =>
  (await replay(lines, held)).bad?.why;

describe('the roots of checkpoints, from the audit log alone', () => {
  it('are those that were signed, under every checkpoint', async () => {
    const { lines, links } = written();
    expect(await replay(lines)).toMatchObject({ matched: 4, before: 0, bad: undefined, signed: false });
    // And under those that somebody kept, where the export has none.
    const entries = lines.filter((line) => !line.startsWith('{"checkpoint"'));
    expect(await replay(entries, links)).toMatchObject({ matched: 4, bad: undefined });
    expect(await replay(entries)).toMatchObject({ matched: 0, bad: undefined });
  });

  it.each(['members', 'cohorts'] as const)('differ where other %s were signed than were decided', async (tree) => {
    const log = written();
    const { payload } = log.checkpoint({ [tree]: { size: 3, root: sha256Hex('what nobody decided') } });
    expect(await why(log.lines)).toContain(
      `checkpoint 3/${payload.number} (serial ${payload.serial}) has another ${tree} root than the log gives`,
    );
    const before = log.lines.slice(0, -1);
    const [last] = log.links.slice(-1);
    expect(await why(before, last === undefined ? [] : [last])).toContain(`has another ${tree} root`);
  });

  it('are of a history without gap or fork', async () => {
    const { lines, links } = written();
    const place = (number: number): number => lines.indexOf(JSON.stringify({ checkpoint: links[number]?.jws }));
    expect(await why(lines.toSpliced(place(1), 1))).toContain('are missing');
    const log = written();
    log.checkpoint({ previous: sha256Hex('another') });
    expect(await why(log.lines)).toContain('history.fork');
  });

  it('hang on the head of the log that each checkpoint carries', async () => {
    const log = written();
    const elsewhere = log.checkpoint({ audit: { seq: 99, head: sha256Hex('elsewhere') } });
    expect(await why(log.lines)).toContain('carries another head of the log');
    expect(await why(log.lines.slice(0, -1), [elsewhere])).toContain('is missing');
    const rebuilt = written().checkpoint({ audit: { seq: 2, head: sha256Hex('rebuilt') } });
    expect(await why(written().lines, [rebuilt])).toContain('which somebody holds, carries another head');
  });

  it('cannot be made when a part is missing, or is no such entry', async () => {
    const log = new Log();
    log.entry(LEAVES_ACTION, { serial: 1, part: 1, parts: 2 });
    log.checkpoint();
    expect(await why(log.lines)).toContain('in the middle of a change');
    const broken = new Log();
    broken.entry(LEAVES_ACTION, { serial: 1 });
    expect(await why(broken.lines)).toContain('cannot be played again');
    const early = new Log();
    early.entry('organisation.create', {});
    early.checkpoint();
    expect(await replay(early.lines)).toMatchObject({ matched: 0, before: 1, bad: undefined });
  });

  it('are not made from a log that does not hold', async () => {
    const { lines } = written();
    expect(await why(lines.map((line) => line.replace('"grp', '"other').replace('"name":"x"', '"name":"y"')))).toContain('was changed');
    expect(await why([...lines, '{"checkpoint":"a.b.c"}'])).toContain('is not an entry');
  });
});
