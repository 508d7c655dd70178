/**
 * What the signer keeps: one SQLite file in its own folder, written in one transaction before anything is signed. Every part is bound to a digest in its
 * summary, and the summary to its own: what is damaged or missing stops the signer, and never reads as "nothing yet".
 */
import fs from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { HexDigest } from '@cordon/policy/protocol/enrollment.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { StandingSchema, TreeSchema, type TargetToKnow } from './contract.ts';
import type { Cohort, Member } from './leaves.ts';

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Nothing = Type.Null();

const SummarySchema = Type.Object(
  {
    format: Type.Literal('cordon-signer/1'),
    epoch: Count,
    serial: Count,
    /** Of the first root that it was ever given; null: none yet. */
    fingerprint: Type.Union([Type.String({ maxLength: 64 }), Nothing]),
    /** Digest of the chain of roots, as canonical JSON. */
    roots: HexDigest,
    /** The epoch of which `standing` is. */
    standingEpoch: Count,
    standing: StandingSchema,
    members: TreeSchema,
    cohorts: TreeSchema,
    /** It comes from a version that kept no leaves: the first state that it is shown must be one that it signed under this mark. */
    adopts: Type.Boolean(),
  },
  closed,
);
export type Summary = Static<typeof SummarySchema>;
const validator = Compile(SummarySchema);

export interface Loaded {
  readonly summary: Summary;
  readonly roots: readonly string[];
  readonly members: readonly Member[];
  readonly cohorts: readonly Cohort[];
  readonly bundles: ReadonlyMap<string, string>;
  readonly documents: ReadonlyMap<string, string>;
  readonly targets: readonly TargetToKnow[];
}

/** What became other; everything else stays as it is. */
export interface Saved {
  readonly summary: Summary;
  readonly roots?: readonly string[];
  readonly members?: ReadonlyMap<number, Member>;
  readonly cohorts?: ReadonlyMap<number, Cohort>;
  readonly bundles?: { readonly added: ReadonlyMap<string, string>; readonly gone: Iterable<string> };
  readonly documents?: { readonly added: ReadonlyMap<string, string>; readonly gone: Iterable<string> };
  readonly targets?: readonly TargetToKnow[];
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS summary (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL, digest TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS root (place INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS member (place INTEGER PRIMARY KEY, device TEXT NOT NULL, cohort TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS cohort (place INTEGER PRIMARY KEY, id TEXT NOT NULL, digest TEXT NOT NULL, serial INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS bundle (digest TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS document (digest TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS target (place INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;`;

const damaged = (what: string, cause?: unknown): CordonError =>
  new CordonError(
    'signer.state',
    `the signer's state is damaged (${what}): restore its folder from the backup, or let the root raise the epoch and begin anew`,
    cause === undefined ? {} : { cause },
  );

interface Row {
  readonly place: number;
  readonly text: string;
  readonly digest: string;
  readonly device: string;
  readonly cohort: string;
  readonly id: string;
  readonly serial: number;
}

export class StateFile {
  readonly #database: DatabaseSync;

  /** @throws CordonError `signer.state` when it is no such file, or another signer has it */
  constructor(file: string) {
    const isNew = !fs.existsSync(file);
    if (isNew) fs.closeSync(fs.openSync(file, 'wx', 0o600));
    this.#database = new DatabaseSync(file, { timeout: 5000 });
    try {
      this.#database.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF',
      );
      this.#database.exec(`BEGIN IMMEDIATE; ${TABLES} COMMIT`);
    } catch (cause) {
      this.#database.close();
      throw damaged('it cannot be opened', cause);
    }
  }

  /** @returns undefined for one that nothing was ever written into. @throws CordonError `signer.state` */
  load(): Loaded | undefined {
    try {
      return this.#load();
    } catch (cause) {
      throw cause instanceof CordonError && cause.code === 'signer.state' ? cause : damaged('it cannot be read', cause);
    }
  }

  #rows(sql: string): readonly Row[] {
    return this.#database.prepare(sql).all() as object[] as Row[];
  }

  #load(): Loaded | undefined {
    const [kept] = this.#rows('SELECT text, digest FROM summary');
    const rest = ['root', 'member', 'cohort', 'bundle', 'document', 'target'];
    if (kept === undefined) {
      if (rest.some((table) => this.#rows(`SELECT * FROM ${table} LIMIT 1`).length > 0)) throw damaged('its summary is missing');
      return undefined;
    }
    const summary = parseStrictJson(kept.text, { maxBytes: 65_536, maxDepth: 4 });
    if (!validator.Check(summary) || sha256Hex(kept.text) !== kept.digest) throw damaged('its summary is another');
    const inPlace = (table: string): readonly Row[] => {
      const rows = this.#rows(`SELECT * FROM ${table} ORDER BY place`);
      if (rows.some(({ place }, i) => place !== i)) throw damaged(`a row of ${table} is missing`);
      return rows;
    };
    const texts = (table: string): ReadonlyMap<string, string> => {
      const rows = this.#rows(`SELECT digest, text FROM ${table}`);
      if (rows.some(({ digest, text }) => sha256Hex(text) !== digest)) throw damaged(`a ${table} is another`);
      return new Map(rows.map(({ digest, text }) => [digest, text]));
    };
    const roots = inPlace('root').map(({ text }) => text);
    if (sha256Hex(canonicalJson(roots)) !== summary.roots) throw damaged('its roots are others');
    return {
      summary,
      roots,
      members: inPlace('member').map(({ device, cohort }) => ({ device, cohort })),
      cohorts: inPlace('cohort').map(({ id, digest, serial }) => ({ id, digest, serial })),
      bundles: texts('bundle'),
      documents: texts('document'),
      targets: inPlace('target').map(({ text }) => JSON.parse(text) as TargetToKnow),
    };
  }

  /** One transaction, on disk when this returns. @throws CordonError `signer.state` when it could not be written; then nothing was */
  save(change: Saved): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        this.#write(change);
        this.#database.exec('COMMIT');
      } catch (error) {
        this.#database.exec('ROLLBACK');
        throw error;
      }
    } catch (cause) {
      throw new CordonError('signer.state', 'the signer could not write its state: is its disk full or read-only?', { cause });
    }
  }

  #write({ summary, roots, members, cohorts, bundles, documents, targets }: Saved): void {
    const run = (sql: string): ((...values: (string | number)[]) => void) => {
      const statement = this.#database.prepare(sql);
      return (...values) => void statement.run(...values);
    };
    const text = canonicalJson(summary);
    run('INSERT OR REPLACE INTO summary VALUES (1, ?, ?)')(text, sha256Hex(text));
    const whole = (table: 'root' | 'target', values: readonly string[]): void => {
      this.#database.exec(`DELETE FROM ${table}`);
      values.forEach((value, place) => run(`INSERT INTO ${table} VALUES (?, ?)`)(place, value));
    };
    if (roots !== undefined) whole('root', roots);
    if (targets !== undefined)
      whole(
        'target',
        targets.map((target) => canonicalJson({ ...target, documents: [] })),
      );
    if (members !== undefined) {
      const put = run('INSERT OR REPLACE INTO member VALUES (?, ?, ?)');
      for (const [place, { device, cohort }] of members) put(place, device, cohort);
      run('DELETE FROM member WHERE place >= ?')(summary.members.size);
    }
    if (cohorts !== undefined) {
      const put = run('INSERT OR REPLACE INTO cohort VALUES (?, ?, ?, ?)');
      for (const [place, { id, digest, serial }] of cohorts) put(place, id, digest, serial);
      run('DELETE FROM cohort WHERE place >= ?')(summary.cohorts.size);
    }
    for (const [table, texts] of [
      ['bundle', bundles],
      ['document', documents],
    ] as const) {
      const put = run(`INSERT OR IGNORE INTO ${table} VALUES (?, ?)`);
      for (const [digest, value] of texts?.added ?? []) put(digest, value);
      const drop = run(`DELETE FROM ${table} WHERE digest = ?`);
      for (const digest of texts?.gone ?? []) drop(digest);
    }
  }

  close(): void {
    this.#database.close();
  }
}
