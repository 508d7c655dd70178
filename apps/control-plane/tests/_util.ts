/** A real control plane per test file: its own state folder, its own database on the run's PostgreSQL, its own signer process. */
import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import { keyPairFromSeed, thumbprint, type KeyPair } from '@cordon/policy/trust/keys.ts';
import { parseToken } from '@cordon/policy/trust/token.ts';
import type { DeviceFacts } from '@cordon/policy/protocol/enrollment.ts';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, inject } from 'vitest';
import '../../../infra/vitest-database.ts';
import { configFrom } from '../src/config.ts';
import { poolConfig, type DatabaseAccess } from '../src/db/client.ts';
import { approverOf, publishApproved } from './_approver.ts';
import { createControlPlane, type ControlPlane, type StartOptions } from '../src/start.ts';
import type { Role } from '../src/auth/permissions.ts';

export interface Answer<T = Record<string, never>> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly body: T;
}

interface AskOptions {
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Only this one request: nobody approves what it needs approved. */
  readonly alone?: boolean;
}

export interface TestPlane {
  readonly plane: ControlPlane;
  readonly stateDir: string;
  /** As the database's owner. */
  readonly owner: DatabaseAccess;
  readonly ownerToken: string;
  /** Admin listener; by default as the first owner. A draft that needs an approval is approved before it is published, unless `alone` says that nobody does. */
  admin<T = Record<string, never>>(method: string, url: string, options?: AskOptions): Promise<Answer<T>>;
  device<T = Record<string, never>>(method: string, url: string, body?: unknown): Promise<Answer<T>>;
  tokenOf(role: Role): Promise<string>;
  close(): Promise<void>;
}

/** A new, empty database. */
export const createDatabase = async (): Promise<DatabaseAccess> => {
  const { superuser, owner } = inject('database');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const client = new pg.Client(poolConfig(superuser, 1));
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name} OWNER ${owner.user}`);
  } finally {
    await client.end();
  }
  return { ...owner, database: name };
};

/** Folders of this test file; removed after its last test, whatever failed. */
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});

export const makeStateDir = (): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-cp-'));
  folders.push(folder);
  return folder;
};

/** @param options.ownerToken for a replica of an organisation that has its owner already; `organisation` is the folder of a ceremony */
export const startPlane = async (
  options: StartOptions & { readonly stateDir?: string; readonly ownerToken?: string; readonly organisation?: string } = {},
): Promise<TestPlane> => {
  const stateDir = options.stateDir ?? makeStateDir();
  const owner = options.owner ?? (await createDatabase());
  const config = configFrom({
    CORDON_STATE: stateDir,
    CORDON_ADMIN_PORT: '0',
    CORDON_DEVICE_PORT: '0',
    CORDON_LOG: 'silent',
    ...(options.organisation !== undefined && { CORDON_ORGANISATION: options.organisation }),
  });
  const plane = await createControlPlane(config, { ...options, owner });
  const ownerToken = options.ownerToken ?? fs.readFileSync(path.join(stateDir, 'admin-token'), 'utf8').trim();
  const ask = async <T>(
    app: typeof plane.listeners.admin.app,
    method: string,
    url: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer<T>> => {
    const reply = await app.inject({
      method: method as 'GET',
      url,
      headers: { ...headers },
      ...(body !== undefined && { payload: body as object }),
    });
    const isJson = /^application\/(?:problem\+)?json/.test(String(reply.headers['content-type']));
    return { status: reply.statusCode, headers: reply.headers, body: (isJson && reply.body !== '' ? JSON.parse(reply.body) : {}) as T };
  };
  const once: TestPlane['admin'] = (method, url, { body, token = ownerToken, headers = {} } = {}) =>
    ask(
      plane.listeners.admin.app,
      method,
      url.startsWith('/api/') || url.endsWith('healthz') || url.endsWith('readyz') ? url : `/api/v1${url}`,
      body,
      { ...(token !== '' && { authorization: `Bearer ${token}` }), ...headers },
    );
  const admin: TestPlane['admin'] = <T>(method: string, url: string, { alone = false, ...options }: AskOptions = {}) =>
    method === 'POST' && url === '/publish' && !alone && typeof options.body === 'object' && options.body !== null
      ? publishApproved(
          // What the caller may publish the owner may propose and have signed.
          (path, body) => once<T & object>('POST', path, { ...options, body, token: path === '/publish' ? options.token : ownerToken }),
          () => approverOf(stateDir),
          options.body,
        )
      : once<T>(method, url, options);
  return {
    plane,
    stateDir,
    owner,
    ownerToken,
    admin,
    device: (method, url, body) => ask(plane.listeners.device.app, method, `/agent/v1${url}`, body, {}),
    tokenOf: async (role) => (await admin<{ token: string }>('POST', '/api-tokens', { body: { name: role, role } })).body.token,
    close: async () => {
      await plane.close();
      fs.rmSync(stateDir, { recursive: true, force: true });
    },
  };
};

export const newKey = (): KeyPair => keyPairFromSeed(randomBytes(32));

export const someFacts = (name: string): DeviceFacts => ({
  name,
  os: 'linux',
  osVersion: '6.1',
  arch: 'x64',
  agentVersion: '0.1.0',
  assurance: 'system',
  language: 'cordon/v1',
});

/** What a device does with its token. `change` spoils the statement on purpose. */
export const enrolDevice = async (
  { device, plane }: TestPlane,
  tokenText: string,
  key: KeyPair,
  change: { readonly facts?: object; readonly org?: string; readonly nonce?: string; readonly signers?: readonly KeyPair[] } = {},
): Promise<Answer<{ device: string; memberIndex: number; org: string; code: string }>> => {
  const token = parseToken(tokenText);
  const challenge = await device<{ nonce: string }>('POST', '/enroll/challenge', { token: token.id, jwk: key.jwk });
  const statement = {
    org: change.org ?? plane.context.organisation.orgId,
    nonce: change.nonce ?? challenge.body.nonce,
    token: token.id,
    jkt: thumbprint(key.jwk),
    facts: change.facts ?? someFacts('laptop'),
  };
  return device('POST', '/enroll', {
    jwk: key.jwk,
    statement: await signGeneral(statement, 'cordon-enroll+jws', change.signers ?? [token.keyPair, key]),
  });
};

export const POLICY = `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: coding-agents }
spec:
  allow:
    filesystem: { write: ["\${workspace}"] }
    network: { hosts: [{ host: api.example.com }] }
`;
