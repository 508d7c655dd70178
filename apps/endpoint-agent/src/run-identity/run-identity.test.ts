import { describe, expect, it } from 'vitest';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { preparePolicy } from '@cordon/policy/document/prepare.ts';
import { codeOf } from '@cordon/policy/trust/_refusal.ts';
import { keyNamed } from '@cordon/policy/trust/_world.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { TokenReply, TokenRequest } from '@cordon/policy/protocol/run-tokens.ts';
import { openRunStatement, type RunStatement } from '@cordon/policy/trust/run-statement.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { effectiveOf, policyText } from '../../tests/_policy.ts';
import { DENY_ALL } from '../egress/egress.ts';
import { accountNamed } from '../local-api/accounts.ts';
import type { Reply } from '../local-api/protocol.ts';
import type { Caller } from '../local-api/server.ts';
import type { LiveRun } from '../runs/run-table.ts';
import { createRunIdentity, type RunIdentity } from './run-identity.ts';

const NOW = new Date('2026-03-01T12:00:00.000Z');
const DEVICE = { org: 'org_a', device: 'dev_0000000000000001' };
const KEY = keyNamed('device');
const NONCE = 'n'.repeat(22);
const AUDIENCE = 'https://api.example.com';
const GIVES = 'allow: { identity: { hosts: [api.example.com, other.example.com] } }';

const stateOf = (spec: string, digest = 'b'.repeat(64)): VerifiedState =>
  ({
    digest,
    prepared: [preparePolicy({ policy: 'pol_a', name: 'a', revision: 1, document: parsePolicy(policyText(spec)).document, because: [] })],
    exceptions: [],
    judgedAt: NOW,
  }) as Partial<VerifiedState> as VerifiedState;

let count = 0;
const runOf = (parent?: LiveRun, account = { name: 'dev', uid: 123_456, gid: 1, home: '/home/dev' }): LiveRun => ({
  run: { run: `run_${String((count += 1)).padStart(16, '0')}` } as Partial<LiveRun['run']> as LiveRun['run'],
  subject: { agent: { id: 'claude-code', proof: 'claimed' }, user: account.name, os: 'linux' },
  account,
  cwd: '/srv/work',
  parent,
  effective: effectiveOf('allow: {}'),
  filesystem: { readonlyPaths: [], readwritePaths: [], deniedPaths: [] },
  network: DENY_ALL,
  startedAt: 0,
});

interface Scene {
  readonly identity: RunIdentity;
  readonly runs: LiveRun[];
  readonly asked: TokenRequest[];
  readonly events: NewEvent[];
  /** What the control plane says of the next question; undefined: nothing yet. */
  answer: (question: TokenRequest) => Partial<TokenReply> | undefined;
  state: VerifiedState | undefined;
  now: Date;
  clock: number;
  connected: boolean;
  statement(question: TokenRequest | undefined): Promise<RunStatement>;
}

const begin = (): Scene => {
  const runs: LiveRun[] = [];
  const asked: TokenRequest[] = [];
  const events: NewEvent[] = [];
  const scene: Scene = {
    runs,
    asked,
    events,
    answer: ({ number }) => ({ token: `token.${number}.x`, expiresAt: new Date(scene.now.getTime() + 300_000).toISOString() }),
    state: stateOf(GIVES),
    now: NOW,
    clock: 0,
    connected: true,
    statement: (question) =>
      openRunStatement(question?.statement ?? '', KEY.jwk, { ...DEVICE, nonce: NONCE, number: question?.number ?? 0, now: scene.now }),
    identity: createRunIdentity({
      enrollment: DEVICE,
      spool: { boot: 'boot_1' },
      key: () => KEY,
      runs: { all: () => runs },
      state: () => scene.state,
      report: (event) => void events.push(event),
      send: (frame) => {
        if (frame.type !== 'token' || !scene.connected) return false;
        asked.push(frame);
        const said = scene.answer(frame);
        if (said !== undefined) queueMicrotask(() => scene.identity.onFrame({ type: 'token.reply', number: frame.number, ...said }));
        return true;
      },
      now: () => scene.now,
      clock: () => scene.clock,
      pause: async (ms) => void (scene.clock += ms),
    }),
  };
  scene.identity.onFrame({ type: 'welcome', session: 's', nonce: NONCE, time: NOW.toISOString(), heartbeatSeconds: 25 });
  return scene;
};
const live = (scene: Scene, parent?: LiveRun): LiveRun => {
  const run = runOf(parent);
  scene.runs.push(run);
  return run;
};

describe('a token for a run', () => {
  it('is asked for with what the daemon knows of the run, and nothing that the run says', async () => {
    const scene = begin();
    const top = live(scene);
    const run = live(scene, live(scene, top));
    const given = await scene.identity.tokenFor(run, AUDIENCE, 'proxy');
    expect(given).toEqual({ token: 'token.1.x', audience: AUDIENCE, expiresAt: '2026-03-01T12:05:00.000Z' });
    expect(await scene.statement(scene.asked[0])).toMatchObject({
      boot: 'boot_1',
      run: run.run.run,
      parents: [run.parent?.run.run, top.run.run],
      user: { name: 'dev', kind: 'directory' },
      agent: { id: 'claude-code', proof: 'claimed' },
      bundle: 'b'.repeat(64),
      audience: AUDIENCE,
      delivery: 'proxy',
    });
  });

  it('calls an account of this machine local, and one with its number and another name not', async () => {
    const scene = begin();
    const root = accountNamed('root') ?? expect.fail('no root');
    for (const account of [root, { ...root, name: 'ada' }]) {
      const run = runOf(undefined, account);
      scene.runs.push(run);
      await scene.identity.tokenFor(run, AUDIENCE, 'workload');
    }
    const kinds = await Promise.all(scene.asked.map(async (question) => (await scene.statement(question)).user));
    expect(kinds).toEqual([
      { name: 'root', kind: 'local' },
      { name: 'ada', kind: 'directory' },
    ]);
  });

  it('is given again while it lasts long enough, to that run alone, for that audience and way alone', async () => {
    const scene = begin();
    const [run, other] = [live(scene), live(scene)];
    const ask = (of = run, audience = AUDIENCE, delivery: 'workload' | 'proxy' = 'workload'): Promise<string> =>
      scene.identity.tokenFor(of, audience, delivery).then(({ token }) => token);
    const together = await Promise.all([ask(), ask(), ask()]);
    expect([...together, await ask()]).toEqual(['token.1.x', 'token.1.x', 'token.1.x', 'token.1.x']);
    expect(await ask(other)).toBe('token.2.x');
    expect(await ask(run, 'https://other.example.com')).toBe('token.3.x');
    expect(await ask(run, AUDIENCE, 'proxy')).toBe('token.4.x');
    scene.now = new Date(NOW.getTime() + 179_000);
    expect(await ask()).toBe('token.1.x');
    scene.now = new Date(NOW.getTime() + 180_000);
    expect(await ask()).toBe('token.5.x');
  });

  it('is for hosts that a policy in force names, for it and for every run that it is inside', async () => {
    const scene = begin();
    const run = live(scene);
    const code = (audience: string): Promise<string> => codeOf(() => scene.identity.tokenFor(run, audience, 'workload'));
    expect(await code('https://evil.example')).toBe('identity.audience');
    expect(await code('http://api.example.com')).toBe('identity.audience');
    expect(await code('https://api.example.com.evil.example')).toBe('identity.audience');
    expect(await code(AUDIENCE)).toBe('accepted');
    scene.state = stateOf(`${GIVES}\ndeny: { identity: { hosts: [api.example.com] } }`);
    expect(await code(AUDIENCE)).toBe('identity.audience');
    scene.state = undefined;
    expect(await code('https://other.example.com')).toBe('launch.no-bundle');
    expect(scene.asked).toHaveLength(1);
  });

  it('is told each time that one was made or refused, and never what it is', async () => {
    const scene = begin();
    const run = live(scene);
    await scene.identity.tokenFor(run, AUDIENCE, 'workload');
    await scene.identity.tokenFor(run, AUDIENCE, 'workload');
    await codeOf(() => scene.identity.tokenFor(run, 'https://evil.example', 'proxy'));
    const who = { kind: 'run.token', run: run.run.run, agent: 'claude-code', osUser: 'dev' };
    expect(scene.events).toEqual([
      { ...who, verdict: 'allowed', audience: AUDIENCE, delivery: 'workload' },
      { ...who, verdict: 'denied', audience: 'https://evil.example', delivery: 'proxy', code: 'identity.audience' },
    ]);
    expect(JSON.stringify(scene.events)).not.toContain('token.1.x');
    for (let i = 0; i < 40; i += 1) await codeOf(() => scene.identity.tokenFor(run, 'https://evil.example', 'workload'));
    expect(scene.events).toHaveLength(20);
  });

  it('is nobody’s any more when the run has ended, also one that was asked for before', async () => {
    const scene = begin();
    const run = live(scene);
    await scene.identity.tokenFor(run, AUDIENCE, 'workload');
    const late = scene.identity.tokenFor(run, 'https://other.example.com', 'workload');
    scene.runs.splice(0);
    expect(await codeOf(() => late)).toBe('identity.run-ended');
    expect(await codeOf(() => scene.identity.tokenFor(run, AUDIENCE, 'workload'))).toBe('identity.run-ended');
  });

  it('is waited for while the report that the run began is on its way, and not for ever', async () => {
    const scene = begin();
    const run = live(scene);
    const { answer } = scene;
    const unknown = { code: 'identity.run-unknown', detail: 'not yet', retryable: true };
    scene.answer = (question) => (question.number < 4 ? unknown : answer(question));
    expect((await scene.identity.tokenFor(run, AUDIENCE, 'workload')).token).toBe('token.4.x');
    scene.answer = () => unknown;
    expect(await codeOf(() => scene.identity.tokenFor(run, 'https://other.example.com', 'workload'))).toBe('identity.run-unknown');
    expect(scene.clock).toBeGreaterThan(10_000);
    expect(scene.clock).toBeLessThan(12_000);
  });

  it('is not asked for again when it was refused for good', async () => {
    const scene = begin();
    scene.answer = () => ({ code: 'identity.not-compliant', detail: 'the device is NonCompliant', retryable: false });
    expect(await codeOf(() => scene.identity.tokenFor(live(scene), AUDIENCE, 'workload'))).toBe('identity.not-compliant');
    expect(scene.asked).toHaveLength(1);
  });

  it('costs a run and all that it starts the same few: what is refused counts too', async () => {
    const scene = begin();
    scene.answer = () => ({ code: 'signer.token', detail: 'no', retryable: false });
    const [top, stranger] = [live(scene), live(scene)];
    const codes: string[] = [];
    for (let i = 0; i < 25; i += 1) codes.push(await codeOf(() => scene.identity.tokenFor(live(scene, top), AUDIENCE, 'workload')));
    expect([codes.filter((code) => code === 'signer.token').length, codes.at(-1)]).toEqual([20, 'identity.rate']);
    expect(await codeOf(() => scene.identity.tokenFor(stranger, AUDIENCE, 'workload'))).toBe('signer.token');
    scene.clock += 3000;
    expect(await codeOf(() => scene.identity.tokenFor(top, AUDIENCE, 'workload'))).toBe('signer.token');
    expect(await codeOf(() => scene.identity.tokenFor(top, AUDIENCE, 'workload'))).toBe('identity.rate');
  });

  it('is not to be had without a connection, nor from a session that is over', async () => {
    const scene = begin();
    const run = live(scene);
    scene.connected = false;
    expect(await codeOf(() => scene.identity.tokenFor(run, AUDIENCE, 'workload'))).toBe('identity.offline');
    scene.connected = true;
    scene.answer = () => undefined;
    const lost = scene.identity.tokenFor(run, AUDIENCE, 'workload');
    await expect.poll(() => scene.asked.length).toBe(1);
    scene.identity.onFrame({ type: 'welcome', session: 's', nonce: 'm'.repeat(22), time: NOW.toISOString(), heartbeatSeconds: 25 });
    expect(await codeOf(() => lost)).toBe('identity.offline');
    // The answer to the old question comes after all: it is nobody's.
    scene.identity.onFrame({ type: 'token.reply', number: 1, token: 'late.x.y', expiresAt: '2026-03-01T12:05:00.000Z' });
    scene.answer = ({ number }) => ({ token: `token.${number}.x`, expiresAt: '2026-03-01T12:05:00.000Z' });
    expect((await scene.identity.tokenFor(run, AUDIENCE, 'workload')).token).toBe('token.1.x');
  });

  it.each([{}, { token: 'a.b.c' }, { token: 'a.b.c', expiresAt: 'soon' }])('is none when what comes is none: %j', async (said) => {
    const scene = begin();
    scene.answer = () => said;
    expect(await codeOf(() => scene.identity.tokenFor(live(scene), AUDIENCE, 'workload'))).toBe('identity.failed');
  });
});

describe('who asks for a token', () => {
  const ask = async (scene: Scene, inside: LiveRun | undefined, audience: string): Promise<Reply | string> => {
    const replies: Reply[] = [];
    const caller = { account: runOf().account, inside, reply: (reply: Reply) => replies.push(reply) } as Partial<Caller> as Caller;
    const inner = { onRequest: () => expect.fail('not for it'), onInput: () => undefined, onClose: () => undefined };
    const outcome = await codeOf(() =>
      scene.identity
        .answering(() => inner)(caller)
        .onRequest({ op: 'token', audience }),
    );
    if (outcome !== 'accepted') return outcome;
    await expect.poll(() => replies.length).toBe(1);
    return replies[0] ?? 'nothing';
  };

  it('is a run, and gets its own', async () => {
    const scene = begin();
    const run = live(scene);
    expect(await ask(scene, run, 'API.example.com')).toMatchObject({ type: 'token', token: 'token.1.x', audience: AUDIENCE });
    expect((await scene.statement(scene.asked[0])).run).toBe(run.run.run);
    expect(await ask(scene, run, 'evil.example')).toMatchObject({ type: 'error', code: 'identity.audience' });
    expect(await ask(scene, run, 'a b')).toMatchObject({ type: 'error', code: 'host.invalid' });
  });

  it('is nobody outside', async () => expect(await ask(begin(), undefined, 'api.example.com')).toBe('identity.outside'));
});
