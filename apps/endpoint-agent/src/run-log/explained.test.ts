import { describe, expect, it } from 'vitest';
import { explainLines } from '../cli/explain.ts';
import { entryLine } from '../cli/logs.ts';
import type { Given, RunEntry } from './entry.ts';
import { explainRun, type Explained } from './explained.ts';

const at = '2026-03-01T12:00:00.000Z';
const who = { run: 'run_a', agent: 'codex', osUser: 'ada', at };
const given: Given = {
  kind: 'given',
  at,
  run: 'run_a',
  uid: 1000,
  user: 'ada',
  agent: 'codex',
  proof: 'proven',
  cwd: '/home/ada/src',
  parent: 'run_outer',
  manifest: 'reviewer',
  policies: [
    { name: 'coding', revision: 3, owner: 'platform-security', contact: '#agents' },
    { name: 'data', revision: 1 },
  ],
  serial: 7,
  read: ['/opt/data'],
  write: ['/home/ada/src'],
  hidden: ['/home/ada/.ssh'],
  hosts: ['api.example'],
  environment: ['LANG'],
  rights: [],
  limits: ['3600 seconds'],
  attestation: { uid: 1000, mounts: 30 },
};
const started: RunEntry = {
  kind: 'run.started',
  ...who,
  program: 'codex',
  digest: 'a',
  attested: true,
  controls: [
    { control: 'filesystem.read', state: 'enforced' },
    { control: 'resources.cpu', state: 'unsupported' },
  ],
};
const network = (change: object = {}): RunEntry => ({
  kind: 'egress',
  ...who,
  verdict: 'denied',
  host: 'evil.example',
  port: 443,
  rule: 'default-deny',
  policy: '',
  ...change,
});
const file: RunEntry = {
  kind: 'file',
  ...who,
  verdict: 'denied',
  access: 'write',
  path: '/home/ada/it is',
  rule: 'r_1',
  policy: 'data',
  code: 'EACCES',
  recorder: 'strace',
  count: 2,
};
const ended: RunEntry = { kind: 'run.ended', ...who, reason: 'exited', exitCode: 2, durationMs: 90_000 };

const explain = (entries: readonly RunEntry[], isLive = false): Explained => {
  const explained = explainRun(entries, isLive);
  if (explained === undefined) throw new Error('it begins as a run does');
  return explained;
};

describe('a run, from what is remembered', () => {
  it('lives, has ended, or was lost with its daemon', () => {
    expect(explain([given, started], true).state).toBe('runs');
    expect(explain([given, started]).state).toBe('lost');
    expect(explain([given, started, ended]).state).toBe('ended');
    expect(explainRun([], false)).toBeUndefined();
    expect(explainRun([started, ended], false)).toBeUndefined();
  });

  it('has each denial once, with how often, and with who answers for it', () => {
    const entries = [
      given,
      started,
      network(),
      network({ count: 2 }),
      network({ count: 4 }),
      file,
      network({ verdict: 'allowed', host: 'api.example' }),
      ended,
    ];
    const { denied, allowed } = explain(entries);
    expect(denied).toMatchObject([
      // No rule says anything: whoever owns a policy of this run could allow it.
      {
        what: 'network',
        target: 'evil.example:443',
        times: 4,
        reason: 'no rule allows it',
        owner: 'platform-security',
        contact: '#agents',
        ask: 'cordon request evil.example:443',
      },
      // That policy names nobody.
      {
        what: 'file',
        target: '/home/ada/it is',
        access: 'write',
        times: 2,
        reason: 'rule r_1 of policy data denies it',
        owner: null,
        ask: "cordon request '/home/ada/it is' --write",
      },
    ]);
    expect(allowed).toEqual([{ target: 'api.example:443', times: 1 }]);
  });

  it('says why in words, where it is not the rules', () => {
    const reasons = ['egress.private', 'egress.network', 'egress.unresolved'].map(
      (code) => explain([given, network({ code, rule: 'r_9', policy: 'coding' })]).denied[0]?.reason,
    );
    expect(reasons.join('; ')).toMatch(/private address.*address that a rule stops.*no address/);
    expect(explain([given, network({ rule: 'r_9', policy: 'coding' })]).denied[0]?.reason).toBe('rule r_9 of policy coding denies it');
  });

  it('has what it was told, what was found, and what there was no room for', () => {
    const entries: RunEntry[] = [
      given,
      started,
      { kind: 'run.notice', ...who, code: 'policy.narrowed', endsAt: at },
      { kind: 'run.finding', ...who, code: 'run.mask-fell', place: '/home/ada/src/.git/hooks' },
      { kind: 'more', at, count: 12 },
      { ...ended, reason: 'killed' },
    ];
    const explained = explain(entries);
    expect(explained).toMatchObject({
      notices: [{ code: 'policy.narrowed', endsAt: at }],
      findings: [{ code: 'run.mask-fell' }],
      unrecorded: 12,
    });
    const text = explainLines(explained).join('\n');
    for (const words of [
      'inside       run_outer',
      'manifest     reviewer',
      `it ends at ${at} [policy.narrowed]`,
      '.git/hooks [run.mask-fell]',
      '12 more events',
      'not wholly   resources.cpu: unsupported',
      'ended from outside',
    ])
      expect(text).toContain(words);
    expect(entries.map(entryLine).join('\n')).toContain('12 more events were not kept here');
  });
});
