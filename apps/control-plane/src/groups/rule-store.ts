import type { Filter } from '@cordon/policy/filter/filter.ts';
import type { Tx } from '../context.ts';
import { Prisma, type PrismaClient } from '../db/generated/client.ts';
import { DEVICE_COLUMNS } from '../devices/filter.ts';
import { filterSql } from '../filtering/sql.ts';
import { RULE_FIELDS } from './rule.ts';

export interface DynamicGroup {
  readonly id: string;
  readonly name: string;
  readonly rule: string;
}

/** Their rules stay as they are until the transaction ends. */
export const lockDynamicGroups = (tx: Tx): Promise<DynamicGroup[]> =>
  tx.$queryRaw`SELECT id, name, rule FROM device_group WHERE rule IS NOT NULL ORDER BY id FOR SHARE`;

/** Whoever has ended is in no group by a rule. What is not known of a device changes nothing: it stays in, or out. */
const verdict = (rule: Filter, at: Date): Prisma.Sql =>
  Prisma.sql`CASE WHEN d.revoked_at IS NULL THEN ${filterSql(rule, RULE_FIELDS, DEVICE_COLUMNS, at)} ELSE false END`;

/** @param only of these devices; without it, of all. @returns who came and who went */
export const moveMembers = async (
  tx: Tx,
  group: string,
  rule: Filter,
  at: Date,
  only: readonly string[] | undefined,
): Promise<{ readonly joined: readonly string[]; readonly left: readonly string[] }> => {
  const among = only === undefined ? Prisma.sql`true` : Prisma.sql`d.id = ANY(${[...only]}::text[])`;
  const rows = await tx.$queryRaw<{ id: string; joined: boolean }[]>`
    WITH judged AS MATERIALIZED (
      SELECT d.id, ${verdict(rule, at)} AS belongs, EXISTS (SELECT 1 FROM group_member m WHERE m.group_id = ${group} AND m.device_id = d.id) AS member
      FROM device d LEFT JOIN device_status s ON s.device_id = d.id WHERE ${among}
    ), joined AS (
      INSERT INTO group_member (group_id, device_id, added_at) SELECT ${group}, id, ${at}::timestamptz FROM judged WHERE belongs AND NOT member
      ON CONFLICT DO NOTHING RETURNING device_id
    ), gone AS (
      DELETE FROM group_member WHERE group_id = ${group} AND device_id IN (SELECT id FROM judged WHERE NOT belongs AND member) RETURNING device_id
    )
    SELECT device_id AS id, true AS joined FROM joined UNION ALL SELECT device_id, false FROM gone ORDER BY id`;
  return {
    joined: rows.filter(({ joined }) => joined).map(({ id }) => id),
    left: rows.filter(({ joined }) => !joined).map(({ id }) => id),
  };
};

export interface Matched {
  /** Devices that the rule names, of how many there are. */
  readonly devices: number;
  readonly of: number;
  readonly sample: readonly { readonly id: string; readonly name: string }[];
}

const SAMPLE = 20;

export const countMatched = async (prisma: Tx | PrismaClient, rule: Filter, at: Date): Promise<Matched> => {
  const judged = Prisma.sql`SELECT d.id, d.name, ${verdict(rule, at)} AS belongs FROM device d LEFT JOIN device_status s ON s.device_id = d.id WHERE d.revoked_at IS NULL`;
  const [counts] = await prisma.$queryRaw<{ devices: number; of: number }[]>`
    SELECT count(*) FILTER (WHERE j.belongs)::int AS devices, count(*)::int AS of FROM (${judged}) j`;
  const sample = await prisma.$queryRaw<{ id: string; name: string }[]>`
    SELECT j.id, j.name FROM (${judged}) j WHERE j.belongs ORDER BY j.name, j.id LIMIT ${SAMPLE}`;
  return { devices: counts?.devices ?? 0, of: counts?.of ?? 0, sample };
};
