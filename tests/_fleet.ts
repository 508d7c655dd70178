/** A real organisation for the rehearsals: its ceremonies by `cordonctl`, its control plane, and devices that verify with the daemon's own code. */
import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { expect, inject, onTestFinished } from 'vitest';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { PROTOCOL } from '@cordon/policy/protocol/version.ts';
import { configFrom } from '../apps/control-plane/src/config.ts';
import { poolConfig, type DatabaseAccess } from '../apps/control-plane/src/db/client.ts';
import { createControlPlane, type ControlPlane } from '../apps/control-plane/src/start.ts';
import { startChannel, type Channel } from '../apps/endpoint-agent/src/control/channel.ts';
import { openIdentity } from '../apps/endpoint-agent/src/identity/identity.ts';
import { STRAIGHT } from '../apps/endpoint-agent/src/network/network.ts';
import { enroll } from '../apps/endpoint-agent/src/identity/enroll.ts';
import { requireEnrollment } from '../apps/endpoint-agent/src/identity/enrollment.ts';
import { openPolicyState } from '../apps/endpoint-agent/src/policy-state/open.ts';
import { openHistory, type History } from '../apps/endpoint-agent/src/policy-state/history.ts';
import type { Outcome, PolicyState } from '../apps/endpoint-agent/src/policy-state/policy-state.ts';
import { someFacts } from '../apps/control-plane/tests/_util.ts';
import { freePort } from '../infra/free-port.ts';
import '../infra/vitest-database.ts';

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, '..');

/** A folder that goes with its test. */
export const makeFolder = (): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-fleet-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
};

export const createDatabase = async (template?: DatabaseAccess): Promise<DatabaseAccess> => {
  const { superuser, owner } = inject('database');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const client = new pg.Client(poolConfig(superuser, 1));
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name} OWNER ${owner.user}${template === undefined ? '' : ` TEMPLATE ${template.database}`}`);
  } finally {
    await client.end();
  }
  return { ...owner, database: name };
};

export const urlOf = ({ user, password, host, port, database }: DatabaseAccess): string =>
  `postgresql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;

export interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `cordonctl` as a process. */
export const cordonctl = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Said> => {
  const program = ['--disable-warning=ExperimentalWarning', path.join(ROOT, 'apps/cordonctl/src/main.ts'), ...args];
  try {
    return { status: 0, ...(await run(process.execPath, program, { env: { PATH: '/usr/bin:/bin', ...env } })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
};

/** Must work. @returns what it printed */
export const ctl = async (...args: readonly string[]): Promise<string> => {
  const said = await cordonctl(args);
  expect(said, said.stderr).toMatchObject({ status: 0 });
  return said.stdout;
};

export interface Site {
  readonly stateDir: string;
  readonly port: number;
  owner: DatabaseAccess;
}

export const makeSite = async (): Promise<Site> => ({
  stateDir: path.join(makeFolder(), 'state'),
  port: await freePort(randomInt(12_000, 31_000)),
  owner: await createDatabase(),
});

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
type Headers = Readonly<Record<string, string>>;

export interface Running extends ControlPlane {
  readonly ownerToken: string;
  /** Must be done. */
  ask<T>(method: Method, url: string, payload?: object, headers?: Headers): Promise<T>;
  /** Whatever comes of it. */
  tell(method: Method, url: string, payload?: object, headers?: Headers): Promise<{ readonly status: number; readonly body: unknown }>;
}

/** @param ceremony folder that `cordonctl keys` wrote for the server */
export const start = async ({ stateDir, port, owner }: Site, ceremony?: string): Promise<Running> => {
  const plane = await createControlPlane(
    configFrom({
      CORDON_STATE: stateDir,
      CORDON_ADMIN_PORT: '0',
      CORDON_DEVICE_PORT: String(port),
      CORDON_LOG: 'silent',
      ...(ceremony !== undefined && { CORDON_ORGANISATION: ceremony }),
    }),
    { owner },
  );
  onTestFinished(() => plane.close());
  const ownerToken = fs.readFileSync(path.join(stateDir, 'admin-token'), 'utf8').trim();
  const tell: Running['tell'] = async (method, url, payload, headers = {}) => {
    const reply = await plane.listeners.admin.app.inject({
      method,
      url: `/api/v1${url}`,
      ...(payload !== undefined && { payload }),
      headers: { authorization: `Bearer ${ownerToken}`, ...headers },
    });
    return { status: reply.statusCode, body: reply.body === '' ? {} : reply.json() };
  };
  return {
    ...plane,
    ownerToken,
    tell,
    ask: async <T>(method: Method, url: string, payload?: object, headers?: Headers): Promise<T> => {
      const { status, body } = await tell(method, url, payload, headers);
      expect(status, `${method} ${url}: ${JSON.stringify(body)}`).toBeLessThan(300);
      return body as T;
    },
  };
};

export interface Fleeting {
  readonly stateDir: string;
  readonly id: string;
  readonly state: PolicyState;
  readonly channel: Channel;
  readonly history: History;
  /** What it said of what it refused. */
  readonly said: readonly string[];
  /** What is in force now. */
  inForce(): VerifiedState | undefined;
  stop(): Promise<void>;
}

/** A device that is enrolled already: the daemon's channel, key, policy state and slots, without its sandbox. */
export const wake = async (stateDir: string, network = STRAIGHT): Promise<Fleeting> => {
  const enrollment = requireEnrollment(stateDir);
  const stop = new AbortController();
  const said: string[] = [];
  const log = (message: string): void => void said.push(message);
  const state = openPolicyState(stateDir, enrollment, log);
  await state.load(new Date());
  const inForce = (): VerifiedState | undefined => state.current(new Date());
  const seen = inForce()?.seen ?? [];
  const history = openHistory({ stateDir, trusted: state.trusted, send: (frame) => channel.send(frame), now: () => new Date(), log, seen });
  const take = (outcome: Outcome): void => {
    if (outcome.kind !== 'accepted') return;
    acknowledge();
    history.observe(outcome.state.seen);
  };
  const acknowledge = (): void => {
    const now = inForce();
    if (now !== undefined) channel.send({ type: 'ack', epoch: now.epoch, serial: now.serial, digest: now.digest, phase: 'enforced' });
  };
  const channel: Channel = startChannel({
    org: enrollment.org,
    open: openIdentity({ stateDir, enrollment, keyDays: 0, network, now: () => new Date(), log }).open,
    signal: stop.signal,
    log,
    // Of a window that doubles up to five minutes: at most 0.6 seconds.
    random: () => 0.002,
    onFrame: async (frame) => {
      if (frame.type === 'roots') await state.onRoots(frame, new Date());
      if (frame.type === 'state') take(await state.onState(frame, new Date()));
      if (frame.type === 'membership') take(await state.onMembership(frame, new Date()));
      if (frame.type === 'history') history.onAnswer(frame);
    },
    hello: () => {
      const now = inForce();
      return {
        type: 'hello',
        protocol: PROTOCOL,
        boot: `boot_${randomBytes(6).toString('hex')}`,
        agentVersion: '0.1.0',
        trust: { roots: state.trusted().roots.length, floor: sha256Hex(state.trusted().floor) },
        enforcing: now === undefined ? null : { epoch: now.epoch, serial: now.serial, digest: now.digest, cohort: now.cohort },
        checkpoint: now === undefined ? null : { epoch: now.epoch, serial: now.serial, digest: now.checkpointDigest },
      };
    },
    onConnected: () => {
      acknowledge();
      history.onConnected();
    },
  });
  const device = {
    stateDir,
    id: enrollment.device,
    state,
    channel,
    history,
    said,
    inForce,
    stop: async () => {
      if (!stop.signal.aborted) state.close();
      stop.abort();
      await channel.done;
    },
  };
  onTestFinished(device.stop);
  return device;
};

/** Enrols a device and waits until something is in force on it. */
export const join = async (plane: Running, name: string, stateDir = makeFolder()): Promise<Fleeting> => {
  const { token } = await plane.ask<{ token: string }>('POST', '/enrollment-tokens', { name });
  await enroll({ stateDir, server: plane.deviceUrl, token, facts: someFacts(name), now: new Date() });
  const device = await wake(stateDir);
  await expect.poll(device.inForce, { timeout: 20_000, message: device.said.join('\n') }).toBeDefined();
  return device;
};
