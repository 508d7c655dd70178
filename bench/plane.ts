/** A real control plane with its own database in a temporary folder, and as many devices as a benchmark asks for. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { ApprovalPayload } from '@cordon/policy/approval/approval.ts';
import { signApproval } from '@cordon/policy/approval/signed-approval.ts';
import { approverOf } from '../apps/control-plane/tests/_approver.ts';
import { configFrom } from '../apps/control-plane/src/config.ts';
import { placeDevices, publish, renewCheckpoint } from '../apps/control-plane/src/publishing/publish.ts';
import { poolConfig, type DatabaseAccess } from '../apps/control-plane/src/db/client.ts';
import { startEmbedded } from '../apps/control-plane/src/db/embedded.ts';
import { createControlPlane, type ControlPlane } from '../apps/control-plane/src/start.ts';

export interface BenchPlane {
  readonly plane: ControlPlane;
  readonly port: number;
  readonly group: string;
  /** Adds a revision, so that the next publish changes every bundle, and has it approved. @returns the proposal */
  revise(version: number): Promise<string>;
  tickets(): string[];
  /** Runs a statement as the database's owner. */
  asOwner(sql: string): Promise<void>;
  close(): Promise<void>;
}

const policyText = (version: number): string => `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: bench, description: revision ${version} }
spec:
  allow:
    filesystem: { write: ["\${workspace}"] }
    network: { hosts: [${Array.from({ length: 20 }, (_, i) => `{ host: h${i}-${version}.example.com }`).join(', ')}] }
`;

/** Devices are rows made in bulk, dealt out to the groups in turn: enrollment is not what is measured. */
const insertDevices = async ({ context: { pool } }: ControlPlane, groups: readonly string[], devices: number): Promise<string[]> => {
  await pool.query(
    `INSERT INTO enrollment_token (id, name, public_key, max_uses, expires_at, created_by) VALUES ('ent_bench', 'bench', 'none', $1, now() + interval '1 day', 'bench')`,
    [devices],
  );
  const { rows } = await pool.query<{ id: string }>(
    `WITH org AS (UPDATE organisation SET next_member = next_member + $1 RETURNING next_member - $1 AS base)
     INSERT INTO device (id, name, thumbprint, jwk, member_index, enrollment_token_id, facts)
     SELECT 'dev_' || lpad(i::text, 20, '0'), 'bench ' || i, 'bench-' || i, '{}', org.base + i, 'ent_bench', '{"assurance":"system"}' FROM org, generate_series(0, $1 - 1) AS i RETURNING id`,
    [devices],
  );
  const ids = rows.map(({ id }) => id);
  await pool.query('INSERT INTO group_member (group_id, device_id) SELECT * FROM unnest($1::text[], $2::text[])', [
    ids.map((_, i) => groups[i % groups.length]),
    ids,
  ]);
  return ids;
};

/** Each session continues the one before. */
const MARK = 'm'.repeat(22);

const runOnce = async (access: DatabaseAccess, sql: string): Promise<void> => {
  const client = new pg.Client(poolConfig(access, 1));
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
};

/** @param cohorts how many groups the devices are in, each with an assignment of the same policy: as many cohorts */
export const startPlane = async (devices: number, cohorts = 1): Promise<BenchPlane> => {
  const stateDir = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-bench-'));
  fs.chmodSync(stateDir, 0o711);
  const database = await startEmbedded({ stateDir, port: undefined, secret: randomBytes(32).toString('base64url'), say: () => undefined });
  const plane = await createControlPlane(
    configFrom({ CORDON_STATE: path.join(stateDir, 'plane'), CORDON_ADMIN_PORT: '0', CORDON_DEVICE_PORT: '0', CORDON_LOG: 'error' }),
    { owner: database.owner },
  );
  const { context, listeners, bootstrapToken = '' } = plane;
  const admin = async <T>(url: string, payload: object): Promise<T> => {
    const reply = await listeners.admin.app.inject({
      method: 'POST',
      url: `/api/v1${url}`,
      payload,
      headers: { authorization: `Bearer ${bootstrapToken}` },
    });
    if (reply.statusCode >= 300) throw new Error(`${url} answered ${reply.statusCode}: ${reply.body}`);
    return JSON.parse(reply.body) as T;
  };
  const approver = approverOf(path.join(stateDir, 'plane'));
  const approved = async (): Promise<string> => {
    const { id, payload } = await admin<{ id: string; payload: string }>('/proposals', { title: 'bench' });
    await admin(`/proposals/${id}/signatures`, { jws: await signApproval(JSON.parse(payload) as ApprovalPayload, [approver]) });
    return id;
  };
  const policy = (await admin<{ id: string }>('/policies', { yaml: policyText(0) })).id;
  const groups: string[] = [];
  for (let i = 0; i < cohorts; i += 1) {
    const { id } = await admin<{ id: string }>('/groups', { name: `bench ${i}`, membership: 'open' });
    await admin('/assignments', { policyId: policy, groupId: id, mode: 'include' });
    groups.push(id);
  }
  const ids = await insertDevices(plane, groups, devices);
  await publish(context, { title: 'bench', actor: 'bench', proposal: await approved() });
  await placeDevices(context, ids);
  await renewCheckpoint(context, 0);
  let joins = 0;
  return {
    plane,
    port: Number(new URL(plane.deviceUrl).port),
    group: groups[0] ?? '',
    revise: async (version) => {
      await admin(`/policies/${policy}/revisions`, { yaml: policyText(version) });
      return approved();
    },
    tickets: () => {
      joins += 1;
      return ids.map((device) => context.tickets.issue({ device, generation: 1, join: { count: joins, last: MARK, next: MARK } }).secret);
    },
    asOwner: (sql) => runOnce(database.owner, sql),
    close: async () => {
      await plane.close();
      await database.close();
      fs.rmSync(stateDir, { recursive: true, force: true });
    },
  };
};
