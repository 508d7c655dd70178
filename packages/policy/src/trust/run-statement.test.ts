import { describe, expect, it } from 'vitest';
import { codeOf } from './_refusal.ts';
import { keyNamed } from './_world.ts';
import { signCompact, type ObjectType } from './envelope.ts';
import { openRunStatement, signRunStatement, STATEMENT_SKEW_MS, type RunStatement } from './run-statement.ts';

const [device, other] = [keyNamed('device'), keyNamed('other')];
const NOW = new Date('2026-03-01T12:00:00.000Z');
const STATEMENT: RunStatement = {
  format: 'cordon-run/1',
  org: 'org_a',
  device: 'dev_0000000000000001',
  boot: 'boot_1',
  nonce: 'n'.repeat(22),
  number: 3,
  at: NOW.toISOString(),
  run: 'run_0000000000000003',
  parents: ['run_0000000000000002', 'run_0000000000000001'],
  user: { name: 'ada', kind: 'local' },
  agent: { id: 'claude-code', proof: 'proven' },
  bundle: 'b'.repeat(64),
  audience: 'https://api.example.com',
  delivery: 'workload',
};
const CONTEXT = { org: 'org_a', device: STATEMENT.device, nonce: STATEMENT.nonce, number: 3, now: NOW };

describe('a statement about a run', () => {
  it('is opened in the session that it was made for', async () => {
    expect(await openRunStatement(await signRunStatement(STATEMENT, device), device.jwk, CONTEXT)).toEqual(STATEMENT);
  });

  it('is refused from another key, and when a byte of it was changed', async () => {
    const jws = await signRunStatement(STATEMENT, device);
    expect(await codeOf(() => openRunStatement(jws, other.jwk, CONTEXT))).toBe('jws.key');
    const [header, , signature] = jws.split('.');
    const forged = Buffer.from(JSON.stringify({ ...STATEMENT, user: { name: 'root', kind: 'directory' } })).toString('base64url');
    expect(await codeOf(() => openRunStatement(`${header}.${forged}.${signature}`, device.jwk, CONTEXT))).toBe('jws.signature');
  });

  it.each<readonly [what: string, context: Partial<typeof CONTEXT>, code: string]>([
    ['of another device, stolen and replayed', { device: 'dev_0000000000000002' }, 'run-statement.device'],
    ['in another organisation', { org: 'org_b' }, 'run-statement.org'],
    ['in a later session of the same device', { nonce: 'm'.repeat(22) }, 'run-statement.nonce'],
    ['a second time in its session, with the next question', { number: 4 }, 'run-statement.number'],
    ['with a question before its own', { number: 2 }, 'run-statement.number'],
    ['long after it was made', { now: new Date(NOW.getTime() + STATEMENT_SKEW_MS + 1) }, 'run-statement.time'],
    ['long before it was made', { now: new Date(NOW.getTime() - STATEMENT_SKEW_MS - 1) }, 'run-statement.time'],
  ])('is refused %s', async (_what, context, code) => {
    const jws = await signRunStatement(STATEMENT, device);
    expect(await codeOf(() => openRunStatement(jws, device.jwk, { ...CONTEXT, ...context }))).toBe(code);
  });

  it('is taken up to the last millisecond of what a clock may be off', async () => {
    const jws = await signRunStatement(STATEMENT, device);
    for (const off of [STATEMENT_SKEW_MS, -STATEMENT_SKEW_MS])
      expect(await codeOf(() => openRunStatement(jws, device.jwk, { ...CONTEXT, now: new Date(NOW.getTime() + off) }))).toBe('accepted');
  });

  it.each<readonly [what: string, change: object]>([
    ['with more than it has', { more: 1 }],
    ['with what the control plane would verify', { compliance: 'Compliant' }],
    ['of a run whose name is none', { run: 'run' }],
    ['of a user of a kind that nobody knows', { user: { name: 'ada', kind: 'verified' } }],
    ['of an agent that is surer than proven', { agent: { id: 'codex', proof: 'certain' } }],
    ['for an audience over plain HTTP', { audience: 'http://api.example.com' }],
    ['for an audience with a path', { audience: 'https://api.example.com/admin' }],
    ['for an audience with a user in it', { audience: 'https://me@api.example.com' }],
    ['for every audience', { audience: 'https://*' }],
    ['that counts from nothing', { number: 0 }],
    ['of a run that is inside itself twice', { parents: [STATEMENT.run, STATEMENT.run] }],
    ['without an end of parents', { parents: Array.from({ length: 17 }, (_, i) => `run_${String(i).padStart(16, '0')}`) }],
  ])('%s is none', async (_what, change) => {
    const jws = await signCompact({ ...STATEMENT, ...change }, 'cordon-run+jws', device);
    expect(await codeOf(() => openRunStatement(jws, device.jwk, CONTEXT))).toBe('run-statement.schema');
  });

  it.each<ObjectType>(['cordon-session+jws', 'cordon-head+jws', 'cordon-run-token+jwt'])('does not come as %s', async (typ) => {
    const jws = await signCompact(STATEMENT, typ, device);
    expect(await codeOf(() => openRunStatement(jws, device.jwk, CONTEXT))).toBe('jws.typ');
  });

  it('is refused when it is longer than statements are', async () => {
    const jws = await signCompact({ ...STATEMENT, more: 'x'.repeat(4096) }, 'cordon-run+jws', device);
    expect(await codeOf(() => openRunStatement(jws, device.jwk, CONTEXT))).toBe('jws.size');
  });
});
