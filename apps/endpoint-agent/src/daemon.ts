/** The daemon: holds the key, the connection, the last good state and the spool, and launches each run as the user who asks. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import { createAsking } from './asking/asking.ts';
import { createRunReports } from './audit/run-reports.ts';
import type { AgentConfig } from './config.ts';
import { startChannel, type Channel } from './control/channel.ts';
import { createDispatcher } from './control/dispatch.ts';
import { helloOf } from './control/hello.ts';
import { restate } from './control/restate.ts';
import { attachIdentity } from './egress/attach-identity.ts';
import { createDiscovery } from './discovery/discovery.ts';
import { enterState } from './enter.ts';
import { openIdentity } from './identity/identity.ts';
import { createWaiting } from './identity/waiting.ts';
import { closeInherited } from './launch/descriptors.ts';
import { createLearning } from './learn/learning.ts';
import { openLaunching } from './launching.ts';
import { servedAccounts } from './local-api/accounts.ts';
import type { Status } from './local-api/protocol.ts';
import { serveLocally } from './local-api/everywhere.ts';
import { statusOf } from './local-api/status.ts';
import { openNetwork } from './network/network.ts';
import { wipe } from './orders/retire.ts';
import { openStanding } from './orders/standing.ts';
import { ownFolder } from './own-folder.ts';
import { openHistory } from './policy-state/history.ts';
import { openPolicyState } from './policy-state/open.ts';
import { inForceOf, type InForce } from './policy-state/in-force.ts';
import type { Outcome } from './policy-state/policy-state.ts';
import { startTending } from './tending.ts';
import { createRunIdentity } from './run-identity/run-identity.ts';
import { createConversation } from './runs/converse.ts';
import { endAll } from './runs/end-all.ts';
import { createEnforcement } from './runs/enforcement.ts';
import { createFollower } from './runs/follow.ts';
import { launchable } from './runs/launchable.ts';
import { createRunTable, endOrphans, tellOrphans } from './runs/run-table.ts';
import { startSelfTest } from './self-test/self-test.ts';
import type { Tester } from './self-test/tester.ts';
import { openDaemonLog } from './run-log/daemon-log.ts';
import { openMemory } from './run-log/memory.ts';
import { startReporter } from './telemetry/reporter.ts';
import { openSpool } from './telemetry/spool.ts';

const SPOOL_BYTES = 64 * 1024 * 1024;

/** Runs until the signal is aborted. @throws CordonError `daemon.already-running`, `folder.unsafe`, `enroll.missing`, `identity.key`, `launch.*-missing`, `egress.*` */
export const runDaemon = async (config: AgentConfig, signal: AbortSignal, say: (message: string) => void): Promise<void> => {
  closeInherited();
  process.umask(0o077);
  const { stateDir, runtimeDir } = config;
  const root = process.getuid?.() === 0;
  const assurance = root ? 'system' : 'user';
  const now = (): Date => new Date();
  const { enrollment, lock } = await enterState(stateDir);
  const daemonLog = openDaemonLog(stateDir, now, say);
  const log = daemonLog.write;
  ownFolder(runtimeDir);
  const identity = openIdentity({ stateDir, enrollment, keyDays: config.keyDays, network: openNetwork(config.network), now, log });
  const spool = openSpool(path.join(stateDir, 'spool'), `boot_${randomBytes(12).toString('base64url')}`, SPOOL_BYTES, now);
  const runs = createRunTable(path.join(stateDir, 'runs'));
  const clock = (): number => performance.now();
  const state = (): ReturnType<typeof policyState.current> => policyState.current(now());
  const reports = createRunReports({ runs, state, report: (event) => memory.report(event), append: spool.append, clock });
  const memory = openMemory({ stateDir, daemonLog, runs, state, append: reports.append, now });
  tellOrphans(endOrphans(path.join(stateDir, 'runs'), now()), memory.report, log);
  let tester: Tester | undefined;
  const launching = await openLaunching({
    runtimeDir,
    stateDir,
    hostsFile: config.hostsFile,
    company: { ...config.network, egressProxy: config.egressProxy },
    server: enrollment.server,
    onDecision: reports.onDecision,
    onUntold: (_run, count) => spool.append({ kind: 'dropped', count, code: 'egress.untold' }),
    // Without root, others of the same user can speak to a run's proxy: nothing is attached then.
    ...(root && { attach: attachIdentity(runs, () => runIdentity) }),
    onDeath: () => {
      log('the egress process died: what was open through it is cut; it is started again, and runs get their way out back');
      tester?.soon();
    },
  });
  const { launcher, limiter, egress, doors, host } = launching;
  const policyState = openPolicyState(stateDir, enrollment, log);
  await policyState.load(now());
  for (const { code } of policyState.problems())
    spool.append({ kind: 'policy', state: 'rejected', digest: '', serial: 0, code: code.slice(0, 64) });
  let channel: Channel | undefined;
  const retirement = new AbortController();
  const send = (frame: UpFrame): boolean => channel?.send(frame) ?? false;
  const standing = await openStanding({ stateDir, assurance, key: identity.key, ...policyState, report: spool.append, log }, now());
  const accounts = servedAccounts(config.users);
  const selfTest = startSelfTest({
    launching,
    runtimeDir,
    account: root ? launching.nobody : accounts[0],
    state,
    inMaintenance: () => standing.maintenance(now()) !== undefined,
    onResult: (result) => {
      send({ type: 'selftest', result });
      reporter.selfTested(result);
    },
    now,
    log,
  });
  tester = selfTest;
  const enforcement = createEnforcement({ runs, egress, host, report: memory.report, now, log });
  const follow = createFollower({
    epoch: () => policyState.current(now())?.epoch ?? 0,
    applyToRuns: enforcement.apply,
    report: spool.append,
    send,
    onReplaced: ({ digest, serial }) => {
      log(`enforces ${digest.slice(0, 12)}, serial ${serial}`);
      selfTest.soon();
    },
  });
  const history = openHistory({ stateDir, trusted: policyState.trusted, send, now, log, seen: policyState.current(now())?.seen ?? [] });
  if (history.damaged) spool.append({ kind: 'policy', state: 'rejected', digest: '', serial: 0, code: 'history.damaged' });
  const take = (outcome: Outcome): void => {
    follow(outcome);
    // After it is in force: the walk over what was missed goes on behind.
    if (outcome.kind === 'accepted') history.observe(outcome.state.seen);
  };
  const wire = { send, now, clock, log };
  const inForce = (): InForce | null => inForceOf(state());
  const reporter = startReporter({
    spool,
    device: { org: enrollment.org, device: enrollment.device, assurance },
    key: identity.key,
    enforced: inForce,
    ...wire,
  });
  const discovery = createDiscovery({
    device: enrollment.device,
    root,
    accounts,
    nobody: launching.nobody,
    runs,
    state,
    report: memory.report,
    ...wire,
  });
  const runIdentity = createRunIdentity({ enrollment, spool, key: identity.key, runs, state, report: memory.report, ...wire });
  const asking = createAsking({ stateDir, state, ...wire });
  const waiting = createWaiting(enrollment.pending === true && policyState.accepted().serial === 0);
  const onFrame = createDispatcher({
    policyState,
    waiting,
    take,
    history,
    standing,
    onRetired: () => retirement.abort(),
    reporter,
    runIdentity,
    discovery,
    asking,
    report: spool.append,
    ...wire,
  });
  const enforced = launchable(policyState, waiting, now);
  const status = (): Status =>
    statusOf({
      enrollment,
      key: identity.key().kid,
      connected: channel?.connected() ?? false,
      state: policyState.current(now()),
      selfTest: selfTest.last(),
      spool,
      blocked: (policyState.crashLoop() ?? waiting.why())?.message,
      maintenance: standing.maintenance(now()),
      history: history.status(),
      limits: limiter,
      runs: runs.all().length,
    });
  const conversation = createConversation({
    launcher,
    runs,
    state: enforced,
    status,
    report: (event) => {
      memory.report(event);
      selfTest.heard(event);
    },
    refused: memory.refused,
    rotateKey: async () => (await identity.rotate(signal)).kid,
    host,
    clock,
    enforcement,
    reports,
    learning: createLearning(launching, reports),
  });
  const converse = runIdentity.answering(discovery.answering(asking.answering(memory.answering(conversation))));
  const local = await serveLocally(runtimeDir, accounts, runs, doors, converse);
  const leaving = new AbortController();
  identity.keepFresh(leaving.signal);
  channel = startChannel({
    org: enrollment.org,
    open: identity.open,
    signal: leaving.signal,
    log,
    random: Math.random,
    onFrame,
    hello: () =>
      helloOf({ boot: spool.boot, trusted: policyState.trusted(), state: policyState.current(now()), integrity: standing.hello() }),
    onConnected: () => {
      restate(send, inForce(), policyState.isPersisted(), selfTest.last());
      reporter.onConnected();
      history.onConnected();
      discovery.onConnected();
      asking.onConnected();
    },
  });
  discovery.start(leaving.signal);
  log(`serves ${accounts.map(({ name }) => name).join(', ')}; device ${enrollment.device}`);
  const loaded = policyState.current(now());
  if (loaded !== undefined) {
    spool.append({ kind: 'policy', state: 'confirmed', digest: loaded.digest, epoch: loaded.epoch, serial: loaded.serial });
    selfTest.soon();
  }
  const endTending = startTending({
    stateDir,
    assurance,
    standing,
    policyState,
    enforcement,
    reports,
    selfTest,
    take,
    report: spool.append,
    ...wire,
  });
  const stop = AbortSignal.any([signal, retirement.signal]);
  await new Promise<void>((resolve) => (stop.aborted ? resolve() : stop.addEventListener('abort', () => resolve(), { once: true })));
  endTending();
  await reporter.finish();
  leaving.abort();
  local.stop();
  await endAll(runs, channel.done);
  await launching.stop();
  spool.close();
  policyState.close();
  standing.close();
  if (standing.isRetired()) wipe(stateDir);
  lock.release();
};
