/** For tests: one valid example of each message and event. */
const hex = (digit: string): string => digit.repeat(64);
const run = { run: 'run_1', agent: 'claude-code', osUser: 'ada' };
const at = '2026-03-01T12:00:00.000Z';

export const EVENTS = {
  'run.started': {
    seq: 0,
    at,
    kind: 'run.started',
    ...run,
    program: 'node',
    digest: hex('a'),
    parent: 'run_0',
    controls: [{ control: 'filesystem.read', state: 'enforced' }],
    attested: true,
  },
  'run.ended': { seq: 1, at, kind: 'run.ended', ...run, reason: 'exited', exitCode: 0, durationMs: 12 },
  'launch.refused': { seq: 2, at, kind: 'launch.refused', ...run, code: 'launch.no-policy', program: 'node' },
  egress: {
    seq: 3,
    at,
    kind: 'egress',
    ...run,
    verdict: 'denied',
    host: 'example.com',
    port: 443,
    rule: 'r_1',
    policy: 'p',
    code: 'host.denied',
  },
  policy: { seq: 4, at, kind: 'policy', state: 'activated', digest: hex('a'), epoch: 0, serial: 7, code: 'state.not-persisted' },
  daemon: { seq: 6, at, kind: 'daemon', state: 'started', assurance: 'system', after: 'crash', code: 'state.slot-damaged' },
  selftest: { seq: 7, at, kind: 'selftest', digest: hex('a'), passed: false, failed: ['read'], result: hex('f') },
  dropped: { seq: 5, at, kind: 'dropped', count: 3, code: 'spool.full' },
} as const;

export const DOWN = {
  welcome: { type: 'welcome', session: 's', nonce: 'n', time: at, heartbeatSeconds: 25 },
  state: {
    type: 'state',
    checkpoint: 'a.b.c',
    cohort: { leaf: { org: 'org_a', index: 0, cohort: 'coh_1', serial: 1, digest: hex('a') }, proof: [hex('b')] },
    manifest: 'a.b.c',
    bundle: null,
  },
  membership: {
    type: 'membership',
    checkpoint: 'a.b.c',
    member: { leaf: { org: 'org_a', index: 0, device: 'dev_1', cohort: 'coh_1', cohortIndex: 0 }, proof: [] },
  },
  'telemetry.ack': { type: 'telemetry.ack', boot: 'boot_1', seq: 9 },
  'head.ack': { type: 'head.ack', boot: 'boot_1', signed: 9 },
  order: { type: 'order', order: 'maintenance', text: '{}' },
  history: { type: 'history', digest: hex('a'), to: 3, headers: ['a.b.c'] },
  problem: { type: 'problem', code: 'state.unknown', detail: 'why' },
} as const;

export const UP = {
  hello: {
    type: 'hello',
    protocol: 1,
    boot: 'boot_1',
    agentVersion: '0.1.0',
    enforcing: { epoch: 0, serial: 1, digest: hex('a'), cohort: 'coh_1' },
    checkpoint: { epoch: 0, serial: 1, digest: hex('c') },
    integrity: {
      state: 'A'.repeat(22),
      counter: 4,
      first: 2,
      stored: true,
      accepted: { epoch: 0, serial: 1 },
      assurance: 'system',
      machineBoot: '00000000-0000-4000-8000-000000000000',
      after: 'reboot',
    },
  },
  history: { type: 'history', epoch: 0, from: 9, digest: hex('a'), to: 3 },
  finding: { type: 'finding', code: 'history.fork', earlier: 'a.b.c', later: 'a.b.c' },
  ack: { type: 'ack', epoch: 0, serial: 1, digest: hex('a'), phase: 'failed', code: 'jws.signature' },
  selftest: {
    type: 'selftest',
    result: { at, digest: hex('a'), passed: false, checks: [{ name: 'read', passed: false, detail: 'it could be read' }] },
  },
  'order.reply': { type: 'order.reply', digest: hex('e'), accepted: false, code: 'maintenance.boot', proof: 'a.b.c' },
  telemetry: { type: 'telemetry', boot: 'boot_1', seqFrom: 0, seqTo: 5, prev: hex('0'), hash: hex('d'), events: Object.values(EVENTS) },
  head: { type: 'head', boot: 'boot_1', seq: 5, hash: hex('d'), head: 'a.b.c' },
} as const;
