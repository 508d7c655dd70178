/** Tokens of runs on a real control plane: exchanged in a session, verified by others with nothing but the published keys, and gone with the run. */
import { batchHash, FIRST_BATCH, ordered } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import type { TokenReply } from '@cordon/policy/protocol/run-tokens.ts';
import { signRunStatement, type RunStatement } from '@cordon/policy/trust/run-statement.ts';
import type { RunTokenClaims } from '@cordon/policy/trust/run-token.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { randomBytes } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify, type JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_DEVICES } from '../src/groups/group.ts';
import { approverOf } from './_approver.ts';
import { connect, enrol, follow, hello, type Enrolled, type Memory, type TestChannel } from './_channel.ts';
import { newKey, POLICY, startPlane, type TestPlane } from './_util.ts';

const AUDIENCE = 'https://api.example.com';
let test: TestPlane;
let policyId: string;

const spec = (hosts: string): string => POLICY.replace('allow:', `allow:\n    identity: { hosts: [${hosts}] }`);

beforeAll(async () => {
  test = await startPlane();
  const { body } = await test.admin<{ id: string }>('POST', '/policies', { body: { yaml: spec('api.example.com') } });
  policyId = body.id;
  await test.admin('POST', '/assignments', { body: { policyId, groupId: ALL_DEVICES.id, mode: 'include' } });
  expect((await test.admin('POST', '/publish', { body: { title: 'first' } })).status).toBe(201);
});
afterAll(() => test.close());

const runId = (): string => `run_${randomBytes(12).toString('base64url')}`;

interface Device extends Enrolled {
  readonly key: KeyPair;
  readonly channel: TestChannel;
  readonly nonce: string;
  readonly inForce: VerifiedState;
  readonly memory: Memory;
  /** Reports events, and waits until they are stored. */
  report(...events: readonly NewEvent[]): Promise<void>;
  /** Signs what is asked for and sends it. */
  ask(change?: Partial<RunStatement>, by?: KeyPair): Promise<TokenReply>;
  /** Sends a statement as it is, with a question's number. */
  send(number: number, statement: string): Promise<TokenReply>;
  statement(change?: Partial<RunStatement>): RunStatement;
}

/** A device that enforces what it should, with a daemon's start of its own. */
const join = async (): Promise<Device> => {
  const key = newKey();
  const enrolled = await enrol(test, undefined, key);
  const boot = `boot_${randomBytes(6).toString('hex')}`;
  const channel = connect(test, enrolled.id);
  const { nonce } = await channel.next('welcome');
  channel.send({ ...hello(), boot });
  const memory: Memory = {};
  const inForce = await follow(test, enrolled, channel, memory, 1);
  let last: TelemetryFrame | undefined;
  let number = 0;
  const statement: Device['statement'] = (change = {}) => ({
    format: 'cordon-run/1',
    org: test.plane.context.organisation.orgId,
    device: enrolled.id,
    boot,
    nonce,
    number: (number += 1),
    at: new Date().toISOString(),
    run: 'run_0000000000000000',
    parents: [],
    user: { name: 'ada', kind: 'local' },
    agent: { id: 'claude-code', proof: 'proven' },
    bundle: inForce.digest,
    audience: AUDIENCE,
    delivery: 'workload',
    ...change,
  });
  const send: Device['send'] = (asked, text) => {
    channel.send({ type: 'token', number: asked, statement: text });
    return channel.next('token.reply');
  };
  const device: Device = {
    ...enrolled,
    key,
    channel,
    nonce,
    inForce,
    memory,
    statement,
    send,
    report: async (...events) => {
      const seqFrom = (last?.seqTo ?? 0) + 1;
      const at = new Date().toISOString();
      const numbered = events.map((event, i) => ordered({ ...event, seq: seqFrom + i, at }));
      const batch = { boot, seqFrom, seqTo: seqFrom + events.length - 1, prev: last?.hash ?? FIRST_BATCH, events: numbered };
      last = { type: 'telemetry', ...batch, hash: batchHash(batch) };
      channel.send(last);
      expect((await channel.next('telemetry.ack')).seq).toBe(batch.seqTo);
    },
    ask: async (change, by = key) => {
      const stated = statement(change);
      return send(stated.number, await signRunStatement(stated, by));
    },
  };
  // Compliance follows the acknowledgement, which is stored a moment later.
  const state = async (): Promise<string> => (await test.admin<{ state: string }>('GET', `/devices/${enrolled.id}/compliance`)).body.state;
  await expect.poll(state, { timeout: 10_000 }).toBe('Compliant');
  return device;
};

const began = (run: string, parent?: string): NewEvent => ({
  kind: 'run.started',
  run,
  agent: 'claude-code',
  osUser: 'ada',
  program: 'claude',
  digest: 'd'.repeat(64),
  ...(parent !== undefined && { parent }),
  controls: [],
  attested: true,
});
const ended = (run: string): NewEvent => ({
  kind: 'run.ended',
  run,
  agent: 'claude-code',
  osUser: 'ada',
  reason: 'exited',
  exitCode: 0,
  durationMs: 5,
});
const codeOf = ({ code, token }: TokenReply): string => code ?? (token === undefined ? 'nothing' : 'token');

/** As a third party: by HTTP, and with a JOSE library. */
const verify = async (token: string, audience = AUDIENCE): Promise<JWTPayload & RunTokenClaims> => {
  const found = await fetch(new URL('/.well-known/openid-configuration', test.plane.deviceUrl));
  const { issuer, jwks_uri } = (await found.json()) as { issuer: string; jwks_uri: string };
  expect(issuer).toBe(test.plane.deviceUrl);
  const options = { issuer, audience, typ: 'cordon-run-token+jwt', algorithms: ['Ed25519'] };
  return (await jwtVerify<RunTokenClaims>(token, createRemoteJWKSet(new URL(jwks_uri)), options)).payload;
};
const introspect = async (token: string, by = test.ownerToken): Promise<Record<string, unknown>> => {
  const reply = await test.plane.listeners.admin.app.inject({
    method: 'POST',
    url: '/api/v1/identity/introspect',
    payload: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
    headers: { authorization: `Bearer ${by}`, 'content-type': 'application/x-www-form-urlencoded' },
  });
  expect([reply.statusCode, reply.headers['cache-control']]).toEqual([200, 'no-store']);
  return reply.json();
};

describe('the token of a run', () => {
  it('says what was verified apart from what the device says, and a third party verifies it', async () => {
    const device = await join();
    const [top, run] = [runId(), runId()];
    await device.report(began(top), began(run, top));
    const reply = await device.ask({ run, parents: [top], delivery: 'proxy' });
    expect(codeOf(reply)).toBe('token');
    const claims = await verify(reply.token ?? '');
    expect(claims).toMatchObject({
      sub: run,
      aud: AUDIENCE,
      verified: {
        organisation: test.plane.context.organisation.orgId,
        device: device.id,
        compliance: 'Compliant',
        assurance: 'system',
        bundle: device.inForce.digest,
        cohort: device.inForce.cohort,
      },
      asserted: {
        run,
        parents: [top],
        user: { name: 'ada', kind: 'local' },
        agent: { id: 'claude-code', proof: 'proven' },
        delivery: 'proxy',
      },
    });
    expect(claims.exp - claims.iat).toBe(300);
    expect(Date.parse(reply.expiresAt ?? '')).toBe(claims.exp * 1000);
    await expect(verify(reply.token ?? '', 'https://other.example')).rejects.toThrow('"aud"');
  });

  it('counts until its run has ended, or the run that it is inside; then there is none any more', async () => {
    const device = await join();
    const [top, run] = [runId(), runId()];
    await device.report(began(top), began(run, top));
    const { token = '' } = await device.ask({ run, parents: [top] });
    const verifier = await test.tokenOf('verifier');
    expect(await introspect(token, verifier)).toMatchObject({ active: true, sub: run, verified: { device: device.id } });
    expect(await introspect(token.slice(0, -3))).toEqual({ active: false });
    await device.report(ended(top));
    expect(await introspect(token)).toEqual({ active: false });
    expect(codeOf(await device.ask({ run, parents: [top] }))).toBe('identity.run-ended');
  });

  it('ends with its device', async () => {
    const device = await join();
    const run = runId();
    await device.report(began(run));
    const { token = '' } = await device.ask({ run });
    expect(await introspect(token)).toMatchObject({ active: true });
    expect((await test.admin('POST', `/devices/${device.id}/revoke`)).status).toBe(200);
    expect(await introspect(token)).toEqual({ active: false });
    await device.channel.closed;
  });
});

describe('there is no token', () => {
  /** One for all of these: what is refused costs it nothing. */
  let shared: Promise<Device> | undefined;

  it.each<readonly [what: string, change: (run: string) => Partial<RunStatement>, code: string]>([
    ['for a run that was not reported', () => ({ run: runId() }), 'identity.run-unknown'],
    ['for a run inside one that was not reported', (run) => ({ run, parents: [runId()] }), 'identity.run-other'],
    ['as another agent than was reported', (run) => ({ run, agent: { id: 'codex', proof: 'proven' } }), 'identity.run-other'],
    ['for an audience that no policy names', (run) => ({ run, audience: 'https://evil.example' }), 'signer.token'],
    [
      'for a host whose name begins as that of an audience',
      (run) => ({ run, audience: 'https://api.example.com.evil.example' }),
      'signer.token',
    ],
    ['under another bundle', (run) => ({ run, bundle: 'a'.repeat(64) }), 'identity.not-current'],
    ['of another start of the daemon', (run) => ({ run, boot: 'boot_other' }), 'identity.run-ended'],
    ['made for another session', (run) => ({ run, nonce: 'n'.repeat(22) }), 'run-statement.nonce'],
    ['that was made long ago', (run) => ({ run, at: new Date(Date.now() - 600_000).toISOString() }), 'run-statement.time'],
    ['of another organisation', (run) => ({ run, org: 'org_other' }), 'run-statement.org'],
  ])('%s', async (_what, change, code) => {
    const device = await (shared ??= join());
    const run = runId();
    await device.report(began(run));
    expect(codeOf(await device.ask(change(run)))).toBe(code);
    expect(codeOf(await device.ask({ run }))).toBe('token');
  });

  it('for the run of another device, whoever’s key signs', async () => {
    const [victim, thief] = [await join(), await join()];
    const run = runId();
    await victim.report(began(run));
    expect(codeOf(await thief.ask({ run }))).toBe('identity.run-unknown');
    // What the victim signed, stolen: for its own session, or even for the thief's.
    const stolen = await signRunStatement(victim.statement({ run }), victim.key);
    expect(codeOf(await thief.send(thief.statement().number, stolen))).toBe('jws.key');
    expect(codeOf(await thief.ask({ run, device: victim.id, nonce: thief.nonce }, victim.key))).toBe('jws.key');
    expect(codeOf(await thief.ask({ run, device: victim.id }))).toBe('run-statement.device');
    expect(codeOf(await victim.ask({ run }))).toBe('token');
  });

  it('for a statement that was used, or whose number is not that of the question', async () => {
    const device = await join();
    const run = runId();
    await device.report(began(run));
    const stated = device.statement({ run });
    const jws = await signRunStatement(stated, device.key);
    expect(codeOf(await device.send(stated.number, jws))).toBe('token');
    expect(codeOf(await device.send(stated.number, jws))).toBe('identity.used');
    expect(codeOf(await device.send(stated.number + 1, jws))).toBe('run-statement.number');
  });

  it('from a device that asks for ever more', async () => {
    const device = await join();
    const replies = await Promise.all(Array.from({ length: 70 }, () => device.ask({ run: runId() })));
    const codes = new Set(replies.map(codeOf));
    expect(codes).toContain('identity.rate');
    expect([...codes].filter((code) => !['identity.rate', 'identity.busy', 'identity.run-unknown'].includes(code))).toEqual([]);
  });

  it('from a device that is not compliant, and says why', async () => {
    const device = await join();
    const run = runId();
    await device.report(began(run));
    const at = new Date().toISOString();
    const failed = { at, digest: device.inForce.digest, passed: false, checks: [{ name: 'read', passed: false, detail: 'it could' }] };
    device.channel.send({ type: 'selftest', result: failed });
    const asked = async (): Promise<TokenReply> => device.ask({ run });
    await expect.poll(async () => codeOf(await asked()), { timeout: 10_000 }).toBe('identity.not-compliant');
    expect((await asked()).detail).toContain('test of its containment failed');
  });

  it('for an audience that a policy in force names no more', async () => {
    const device = await join();
    const run = runId();
    await device.report(began(run));
    const { token = '' } = await device.ask({ run });
    await test.admin('POST', `/policies/${policyId}/revisions`, { body: { yaml: spec('other.example.com') } });
    expect((await test.admin('POST', '/publish', { body: { title: 'another audience' } })).status).toBe(201);
    // The device still has what was before: it is in grace, and its statement is of the old bundle.
    expect(codeOf(await device.ask({ run }))).toBe('identity.not-compliant');
    expect(await introspect(token)).toEqual({ active: false });
    const next = await follow(test, device, device.channel, device.memory, 2);
    const asked = async (): Promise<string> => codeOf(await device.ask({ run, bundle: next.digest }));
    await expect.poll(asked, { timeout: 10_000 }).toBe('signer.token');
    expect(codeOf(await device.ask({ run, bundle: next.digest, audience: 'https://other.example.com' }))).toBe('token');
  });
});

describe('what others are told', () => {
  it('is the keys of the role identity alone, for everyone, and short-lived', async () => {
    const reply = await fetch(new URL('/.well-known/jwks.json', test.plane.deviceUrl));
    const { keys } = (await reply.json()) as { keys: { kid: string; x: string; use: string }[] };
    expect([reply.status, reply.headers.get('cache-control')]).toEqual([200, 'public, max-age=300']);
    expect(keys.map(({ use }) => use)).toEqual(['sig']);
    const { roots } = test.plane.context.organisation;
    const { payload } = JSON.parse(roots.at(-1) ?? '') as { payload: string };
    const { roles } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as {
      roles: Record<string, { keys: { x: string }[] }>;
    };
    expect(keys.map(({ x }) => x)).toEqual(roles['identity']?.keys.map(({ x }) => x));
  });

  it('is nothing to who may not ask, and nothing but "inactive" of what is no token', async () => {
    for (const role of ['auditor', 'helpdesk', 'gitops'] as const) {
      const token = await test.tokenOf(role);
      expect((await test.admin('POST', '/identity/introspect', { body: { token: 'a.b.c' }, token })).status).toBe(403);
    }
    const verifier = await test.tokenOf('verifier');
    expect((await test.admin('GET', '/devices', { token: verifier })).status).toBe(403);
    const key = approverOf(test.stateDir);
    for (const token of ['a', 'a.b.c', '..', await signRunStatement({ ...({} as RunStatement) }, key)])
      expect(await introspect(token, verifier)).toEqual({ active: false });
  });
});
