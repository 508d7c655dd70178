/** What a backup holds: its parts with their digests, what the database was at, and a code over all of it that only who has the passphrase can make. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { HexDigest } from '@cordon/policy/protocol/enrollment.ts';
import { Time } from '@cordon/policy/protocol/time.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { derivedKey, masterKey } from './sealed-stream.ts';

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Name = Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$' });
export const Table = Type.Object({ name: Name, columns: Type.Array(Name, { minItems: 1, maxItems: 200 }), rows: Count }, closed);

const Content = Type.Object(
  {
    format: Type.Literal('cordon-backup/1'),
    id: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }),
    createdAt: Time,
    org: Type.String({ maxLength: 64 }),
    /** Where the published state stood: no device has seen anything of this organisation above it that this backup knows of. */
    epoch: Count,
    serial: Count,
    audit: Type.Object({ seq: Count, hash: HexDigest }, closed),
    /** The shape of the database: names of its migrations, oldest first. */
    migrations: Type.Array(Type.String({ pattern: '^[A-Za-z0-9_]{1,128}$' }), { minItems: 1, maxItems: 10_000 }),
    /** In an order in which every row finds those that it refers to. */
    tables: Type.Array(Table, { minItems: 1, maxItems: 1000 }),
    /** Days of the partitioned tables, YYYYMMDD. */
    partitions: Type.Array(Type.Object({ table: Name, day: Type.String({ pattern: '^\\d{8}$' }) }, closed), { maxItems: 10_000 }),
    salt: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
    parts: Type.Array(
      Type.Object({ name: Type.String({ pattern: '^(database|state)/[A-Za-z0-9._/-]{1,200}$' }), bytes: Count, sha256: HexDigest }, closed),
      { minItems: 1, maxItems: 2000 },
    ),
  },
  closed,
);
export type BackupContent = Static<typeof Content>;
const Manifest = Type.Object({ ...Content.properties, code: HexDigest }, closed);
const validator = Compile(Manifest);

export const manifestFile = (folder: string): string => path.join(folder, 'manifest.json');
/** Where a part lies; sealed. */
export const partFile = (folder: string, name: string): string => path.join(folder, `${name}.sealed`);

const codeOf = (content: BackupContent, master: Buffer): Buffer =>
  createHmac('sha256', derivedKey(master, 'manifest')).update(canonicalJson(content)).digest();

export const manifestText = (content: BackupContent, master: Buffer): string =>
  `${JSON.stringify({ ...content, code: codeOf(content, master).toString('hex') }, null, 1)}\n`;

/** @returns the content and the key that its parts derive theirs from. @throws CordonError `backup.missing`, `backup.manifest`, `backup.passphrase` */
export const readManifest = (folder: string, passphrase: Uint8Array): { readonly content: BackupContent; readonly master: Buffer } => {
  const file = manifestFile(folder);
  if (!fs.existsSync(file))
    throw new CordonError('backup.missing', `there is no ${file}: name the folder that cordonctl backup wrote`, { place: folder });
  const value = parseStrictJson(fs.readFileSync(file), { maxBytes: 10_000_000, maxDepth: 8 });
  if (
    !validator.Check(value) ||
    value.parts.some(({ name }) => name.split('/').some((word) => word === '..' || word === '.' || word === ''))
  )
    throw new CordonError('backup.manifest', `${file} is not the manifest of a backup that this version reads`, { place: file });
  const { code, ...content } = value;
  const master = masterKey(passphrase, Buffer.from(content.salt, 'base64url'));
  if (!timingSafeEqual(codeOf(content, master), Buffer.from(code, 'hex')))
    throw new CordonError('backup.passphrase', `the passphrase is not the one of this backup, or ${file} was changed`, { place: file });
  return { content, master };
};
