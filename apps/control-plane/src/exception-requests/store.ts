/** Where requests are kept. One statement takes one in, whatever comes at the same time. */
import { MAX_OPEN_REQUESTS, type ExceptionRequest } from '@cordon/policy/protocol/exception-requests.ts';
import type pg from 'pg';
import type { Key } from '../paging.ts';
import type { RequestRow } from './request.ts';

/** Of one device in 90 days, withdrawn ones too: what it may add to a table from which nothing is deleted. */
const MOST_KEPT = 500;

/** What a request says never changes; it can be withdrawn, and then stays. Counts are exact for one after the other, as they come: a device has one session. */
const TAKE = `
WITH device AS (SELECT id FROM device WHERE id = $2),
  known AS (SELECT state FROM exception_request WHERE device_id = $2 AND request = $3),
  kept AS (
    SELECT count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE received_at > $15::timestamptz - interval '90 days') AS lately
    FROM exception_request WHERE device_id = $2),
  added AS (
    INSERT INTO exception_request (id, device_id, request, state, agent, os_user, access, target, reason, drafted, run, rule, policy, asked_at, received_at, withdrawn_at)
    SELECT $1, device.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, CASE WHEN $4 = 'withdrawn' THEN $15::timestamptz END
    FROM device, kept WHERE NOT EXISTS (SELECT FROM known) AND ($4 = 'withdrawn' OR kept.open < $16) AND kept.lately < $17
    ON CONFLICT (device_id, request) DO NOTHING RETURNING state),
  changed AS (
    UPDATE exception_request SET state = 'withdrawn', withdrawn_at = $15
    WHERE device_id = $2 AND request = $3 AND state = 'open' AND $4 = 'withdrawn' RETURNING state)
SELECT coalesce((SELECT state FROM added), (SELECT state FROM changed), (SELECT state FROM known)) AS state`;

/** @returns the state in which it is stored; undefined where there is no room for it */
export const takeRequest = async (
  pool: pg.Pool,
  id: string,
  device: string,
  request: ExceptionRequest,
  at: Date,
): Promise<RequestRow['state'] | undefined> => {
  const { state, agent, osUser, access, target, reason, drafted, run, rule, policy } = request;
  const { rows } = await pool.query<{ state: RequestRow['state'] | null }>({
    name: 'exception-request-take',
    text: TAKE,
    values: [
      id,
      device,
      request.id,
      state,
      agent,
      osUser,
      access,
      target,
      reason,
      drafted,
      run,
      rule,
      policy,
      request.at,
      at,
      MAX_OPEN_REQUESTS,
      MOST_KEPT,
    ],
  });
  return rows[0]?.state ?? undefined;
};

const LIST = `
SELECT id, device_id AS device, state, agent, os_user AS "osUser", access, target, reason, drafted, run, rule, policy,
  asked_at AS "askedAt", received_at AS "receivedAt", withdrawn_at AS "withdrawnAt"
FROM exception_request
WHERE ($1::text IS NULL OR device_id = $1) AND ($2::text IS NULL OR state = $2) AND ($3::timestamptz IS NULL OR (received_at, id) < ($3, $4))
ORDER BY received_at DESC, id DESC LIMIT $5`;

/** Newest received first. */
export const listRequests = async (
  pool: pg.Pool,
  where: { readonly device?: string; readonly state?: string },
  before: Key | undefined,
  limit: number,
): Promise<readonly RequestRow[]> => {
  const { rows } = await pool.query<RequestRow>({
    name: 'exception-request-list',
    text: LIST,
    values: [where.device ?? null, where.state ?? null, before?.at ?? null, before?.id ?? null, limit],
  });
  return rows;
};
