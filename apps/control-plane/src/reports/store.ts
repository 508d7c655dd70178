/** Where signed heads and findings are kept. Bulk statements only: there is a head per device every few minutes. */
import { CHAIN_START, type ChainPlace } from '@cordon/policy/protocol/batch.ts';
import type pg from 'pg';
import type { Tx } from '../context.ts';
import type { DeviceHead, PrismaClient, ReportFinding, TelemetryCursor } from '../db/generated/client.ts';
import type { Finding } from './findings.ts';

/** Findings of one kind that are kept of a device: beyond that they say nothing new, and the audit log is not the device's to fill. */
const MOST_OF_A_KIND = 100;

/** @returns those that were not known */
export const insertFindings = async (tx: Tx, findings: readonly Finding[], at: Date): Promise<readonly Finding[]> => {
  const columns = (['device', 'kind', 'boot', 'seq', 'hash'] as const).map((name) => findings.map((finding) => finding[name]));
  const [devices, kinds, boots, seqs, hashes] = columns;
  const rows = await tx.$queryRaw<Omit<Finding, 'detail'>[]>`
    INSERT INTO report_finding (device_id, kind, boot, seq, hash, detail, found_at)
    SELECT n.device, n.kind, n.boot, n.seq, n.hash, n.detail, ${at}
    FROM unnest(${devices}::text[], ${kinds}::text[], ${boots}::text[], ${seqs}::int[], ${hashes}::text[], ${findings.map(({ detail }) => JSON.stringify(detail))}::jsonb[])
      AS n(device, kind, boot, seq, hash, detail)
    WHERE (SELECT count(*) FROM report_finding f WHERE f.device_id = n.device AND f.kind = n.kind) < ${MOST_OF_A_KIND}
    ON CONFLICT DO NOTHING RETURNING device_id AS device, kind, boot, seq, hash`;
  const nameOf = ({ device, kind, boot, seq, hash }: Omit<Finding, 'detail'>): string => JSON.stringify([device, kind, boot, seq, hash]);
  const fresh = new Set(rows.map(nameOf));
  return findings.filter((finding) => fresh.delete(nameOf(finding)));
};

export interface ReceivedHead {
  readonly device: string;
  readonly boot: string;
  readonly seq: number;
  readonly hash: string;
  readonly jws: string;
  /** SHA-256 of the JWS, hex. */
  readonly digest: string;
  readonly at: Date;
}

/** The device's key is written beside its head: it may have another when the head is verified. */
export const insertHeads = async (pool: pg.Pool, heads: readonly ReceivedHead[]): Promise<void> => {
  await pool.query({
    name: 'report-heads',
    text: `INSERT INTO device_head (device_id, boot, seq, digest, hash, jws, received_at, key)
      SELECT n.device, n.boot, n.seq, n.digest, n.hash, n.jws, n.at, d.jwk->>'x'
      FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::timestamptz[]) AS n(device, boot, seq, digest, hash, jws, at)
      JOIN device d ON d.id = n.device ON CONFLICT DO NOTHING`,
    values: [
      heads.map((h) => h.device),
      heads.map((h) => h.boot),
      heads.map((h) => h.seq),
      heads.map((h) => h.digest),
      heads.map((h) => h.hash),
      heads.map((h) => h.jws),
      heads.map((h) => h.at.toISOString()),
    ],
  });
};

/** The oldest of those that nobody has looked at. */
export const pendingHeads = (prisma: PrismaClient, take: number): Promise<DeviceHead[]> =>
  prisma.deviceHead.findMany({ where: { state: 'pending' }, orderBy: { receivedAt: 'asc' }, take });

/** The verified end of a chain below a number: what is before it need not be read again. */
export const verifiedBefore = async (prisma: PrismaClient, { deviceId, boot, seq }: DeviceHead): Promise<ChainPlace> =>
  (await prisma.deviceHead.findFirst({
    where: { deviceId, boot, state: 'verified', seq: { lte: seq } },
    orderBy: { seq: 'desc' },
    select: { seq: true, hash: true },
  })) ?? CHAIN_START;

export const findCursor = (prisma: PrismaClient, deviceId: string, boot: string): Promise<TelemetryCursor | null> =>
  prisma.telemetryCursor.findUnique({ where: { deviceId_boot: { deviceId, boot } } });

/** @returns when the device got the key that it has, if that is not its first */
export const keySince = async (prisma: PrismaClient, id: string): Promise<Date | undefined> =>
  (await prisma.device.findFirst({ where: { id, keyGeneration: { gt: 1 } }, select: { keySince: true } }))?.keySince;

/** @returns whether nobody else has decided meanwhile */
export const settleHead = async (
  tx: Tx,
  { deviceId, boot, seq, digest }: DeviceHead,
  verdict: { readonly state: string; readonly reason: string | null },
  verifiedAt: Date,
): Promise<boolean> =>
  (await tx.deviceHead.updateMany({ where: { deviceId, boot, seq, digest, state: 'pending' }, data: { ...verdict, verifiedAt } })).count ===
  1;

/** Chains of a device, the newest first. */
export const listChains = (prisma: PrismaClient, deviceId: string, take: number): Promise<TelemetryCursor[]> =>
  prisma.telemetryCursor.findMany({ where: { deviceId }, orderBy: [{ at: 'desc' }, { boot: 'desc' }], take });

export type NewestHead = Pick<DeviceHead, 'boot' | 'seq' | 'state' | 'reason' | 'receivedAt' | 'verifiedAt'>;

/** The last signed end of each of these chains, by boot. */
export const newestHeads = async (pool: pg.Pool, device: string, boots: readonly string[]): Promise<ReadonlyMap<string, NewestHead>> => {
  const { rows } = await pool.query<NewestHead>(
    `SELECT DISTINCT ON (boot) boot, seq, state, reason, received_at AS "receivedAt", verified_at AS "verifiedAt" FROM device_head
     WHERE device_id = $1 AND boot = ANY($2::text[]) ORDER BY boot, seq DESC, received_at DESC`,
    [device, boots],
  );
  return new Map(rows.map((head) => [head.boot, head]));
};

export const listFindings = (prisma: PrismaClient, deviceId: string, take: number): Promise<ReportFinding[]> =>
  prisma.reportFinding.findMany({ where: { deviceId }, orderBy: [{ foundAt: 'desc' }, { boot: 'asc' }, { seq: 'asc' }], take });

/** How many findings of each kind. */
export const countFindings = async (prisma: PrismaClient, deviceId: string): Promise<ReadonlyMap<string, number>> => {
  const rows = await prisma.reportFinding.groupBy({ by: ['kind'], where: { deviceId }, _count: true });
  return new Map(rows.map(({ kind, _count }) => [kind, _count]));
};

export const deviceExists = async (prisma: PrismaClient, id: string): Promise<boolean> =>
  (await prisma.device.count({ where: { id } })) === 1;

/** Names of a device's chains of which a batch or a head is kept, in their order, after one. */
export const bootsAfter = async (pool: pg.Pool, device: string, after: string, take: number): Promise<string[]> => {
  const { rows } = await pool.query<{ boot: string }>(
    `SELECT boot COLLATE "C" AS boot FROM (SELECT boot FROM telemetry_batch WHERE device_id = $1 UNION SELECT boot FROM device_head WHERE device_id = $1) AS b
     WHERE boot COLLATE "C" > $2 ORDER BY 1 LIMIT $3`,
    [device, after, take],
  );
  return rows.map(({ boot }) => boot);
};

/** Heads of one chain, the first first. */
export const headsOf = (prisma: PrismaClient, deviceId: string, boot: string): Promise<DeviceHead[]> =>
  prisma.deviceHead.findMany({ where: { deviceId, boot }, orderBy: [{ seq: 'asc' }, { digest: 'asc' }] });

/** Public keys (JWK x) that a device has, or had when a head of it came. */
export const keysOf = async (pool: pg.Pool, device: string): Promise<string[]> => {
  const { rows } = await pool.query<{ key: string }>(
    `SELECT key FROM (SELECT jwk->>'x' AS key FROM device WHERE id = $1 UNION SELECT key FROM device_head WHERE device_id = $1) AS k WHERE key IS NOT NULL ORDER BY key`,
    [device],
  );
  return rows.map(({ key }) => key);
};
