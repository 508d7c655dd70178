/** The daemon: holds the key, the connection, the last good state and the spool, and launches each run as the user who asks. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { DownFrame, SelfTest } from '@cordon/policy/protocol/channel.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { PROTOCOL } from '@cordon/policy/protocol/version.ts';
import type { AgentConfig } from './config.ts';
import { startChannel, type Channel } from './control/channel.ts';
import { startEgress } from './egress/egress.ts';
import { readHosts } from './egress/hosts.ts';
import { loadDeviceKey } from './identity/device-key.ts';
import { requireEnrollment } from './identity/enrollment.ts';
import { AGENT_VERSION } from './identity/facts.ts';
import { closeInherited } from './launch/descriptors.ts';
import { installHelpers } from './launch/helpers.ts';
import { createLauncher } from './launch/launcher.ts';
import { accountNamed, servedAccounts } from './local-api/accounts.ts';
import type { Status } from './local-api/protocol.ts';
import { startLocalApi } from './local-api/server.ts';
import { statusOf } from './local-api/status.ts';
import { lockState } from './lock.ts';
import { ownFolder } from './own-folder.ts';
import { openPolicyState } from './policy-state/open.ts';
import type { Outcome } from './policy-state/policy-state.ts';
import { createConversation } from './runs/converse.ts';
import { applyToRuns } from './runs/apply.ts';
import { createRunTable, endOrphans } from './runs/run-table.ts';
import { runCanary } from './self-test/canary.ts';
import { startReporter } from './telemetry/reporter.ts';
import { openSpool } from './telemetry/spool.ts';

const SPOOL_BYTES = 64 * 1024 * 1024;
/** For the runs to be gone and the channel to be closed. */
const STOP_MS = 5000;
const SELF_TEST_MS = 24 * 3_600_000;

/** Runs until the signal is aborted. @throws CordonError `daemon.already-running`, `folder.unsafe`, `enroll.missing`, `identity.key`, `launch.*-missing`, `egress.*` */
export const runDaemon = async (config: AgentConfig, signal: AbortSignal, log: (message: string) => void): Promise<void> => {
  closeInherited();
  process.umask(0o077);
  const { stateDir, runtimeDir } = config;
  const root = process.getuid?.() === 0;
  const enrollment = requireEnrollment(stateDir);
  const key = loadDeviceKey(stateDir);
  const lock = lockState(stateDir);
  ownFolder(runtimeDir);
  const folder = (name: string, mode: number): string => {
    const place = path.join(runtimeDir, name);
    fs.rmSync(place, { recursive: true, force: true });
    fs.mkdirSync(place, { mode });
    fs.chmodSync(place, mode);
    return place;
  };
  const now = (): Date => new Date();
  const spool = openSpool(path.join(stateDir, 'spool'), `boot_${randomBytes(12).toString('base64url')}`, SPOOL_BYTES, now);
  const orphans = endOrphans(path.join(stateDir, 'runs'), now());
  for (const orphan of orphans) spool.append({ kind: 'run.ended', ...orphan, reason: 'killed', exitCode: 137 });
  if (orphans.length > 0) log(`an earlier daemon left ${orphans.length} runs: they are ended`);
  const helpers = installHelpers(path.join(runtimeDir, 'helpers'));
  const nobody = accountNamed('nobody');
  const runs = createRunTable(path.join(stateDir, 'runs'));
  const egress = await startEgress({
    runtimeDir,
    hosts: readHosts(config.hostsFile),
    ...(root && { dropTo: { uid: nobody?.uid ?? 65_534, gid: nobody?.gid ?? 65_534 } }),
    onDecision: ({ run, verdict, host, port, rule, policy, code }) => {
      const live = runs.all().find((entry) => entry.run.run === run);
      if (live === undefined) return;
      spool.append({
        kind: 'egress',
        run,
        agent: live.subject.agent.id,
        osUser: live.account.name,
        verdict,
        host,
        port,
        rule,
        policy,
        ...(code !== undefined && { code }),
      });
    },
    onDeath: () => log('the egress process died; runs keep going without a way out, new runs get a new one'),
  });
  const launcher = createLauncher({ runtimeDir: folder('launch', 0o700), helpers, egress });
  const policyState = openPolicyState(stateDir, enrollment, log);
  await policyState.load(now());
  for (const { code } of policyState.problems())
    spool.append({ kind: 'policy', state: 'rejected', digest: '', serial: 0, code: code.slice(0, 64) });
  // Symbolic links on the way would hide the real place from the comparison.
  const installation = [
    fs.realpathSync(path.join(import.meta.dirname, '../../..')),
    fs.realpathSync(stateDir),
    fs.realpathSync(runtimeDir),
  ];
  let selfTest: SelfTest | undefined;
  let channel: Channel | undefined;
  const canaryFolder = folder('canary', 0o755);
  const accounts = servedAccounts(config.users);
  const canaryAccount = root ? nobody : accounts[0];
  const test = async (state: VerifiedState): Promise<void> => {
    if (canaryAccount === undefined) return;
    selfTest = await runCanary({ launcher, state, account: canaryAccount, folder: canaryFolder, installation, now });
    if (selfTest === undefined) return;
    if (!selfTest.passed)
      log(
        `the self-test failed: ${selfTest.checks
          .filter(({ passed }) => !passed)
          .map(({ name, detail }) => `${name} (${detail})`)
          .join(', ')}`,
      );
    channel?.send({ type: 'selftest', result: selfTest });
    reporter.selfTested(selfTest);
  };
  let tests = Promise.resolve();
  const testSoon = (state: VerifiedState): void =>
    void (tests = tests.then(() => test(state)).catch((error: unknown) => log(`the self-test could not run: ${String(error)}`)));

  const follow = (outcome: Outcome): void => {
    if (outcome.kind === 'refused') {
      const { digest, serial } = outcome.frame.cohort.leaf;
      const refused = { epoch: policyState.current(now())?.epoch ?? 0, serial, digest, code: outcome.code.slice(0, 64) };
      spool.append({ kind: 'policy', state: 'rejected', ...refused });
      channel?.send({ type: 'ack', phase: 'failed', ...refused });
      return;
    }
    if (outcome.kind === 'waiting' || !outcome.changed) return;
    const { epoch, serial, digest } = outcome.state;
    // The same rules under a newer serial change nothing for the runs that live.
    if (outcome.replaced) applyToRuns(outcome.state, runs, egress, installation, log);
    const stored = outcome.persisted ? {} : { code: 'state.not-persisted' };
    channel?.send({ type: 'ack', epoch, serial, digest, phase: 'enforced', ...stored });
    spool.append({ kind: 'policy', state: outcome.replaced ? 'activated' : 'confirmed', digest, epoch, serial, ...stored });
    if (!outcome.replaced) return;
    log(`enforces ${digest.slice(0, 12)}, serial ${serial}`);
    testSoon(outcome.state);
  };
  const clock = (): number => performance.now();
  const inForce = (): { epoch: number; serial: number; digest: string } | null => {
    const state = policyState.current(now());
    return state === undefined ? null : { epoch: state.epoch, serial: state.serial, digest: state.digest };
  };
  const reporter = startReporter({
    spool,
    device: { org: enrollment.org, device: enrollment.device, assurance: root ? 'system' : 'user' },
    key: () => key,
    enforced: inForce,
    send: (frame) => channel?.send(frame) ?? false,
    now,
    clock,
    log,
  });
  const onFrame = async (frame: DownFrame): Promise<void> => {
    switch (frame.type) {
      case 'roots': {
        const refused = await policyState.onRoots(frame, now());
        if (refused !== undefined)
          spool.append({ kind: 'policy', state: 'rejected', digest: '', serial: 0, code: refused.code.slice(0, 64) });
        return;
      }
      case 'state':
        return follow(await policyState.onState(frame, now()));
      case 'membership':
        return follow(await policyState.onMembership(frame, now()));
      case 'telemetry.ack':
      case 'head.ack':
        return reporter.onFrame(frame);
      case 'problem':
        log(`the control plane says ${frame.code}: ${frame.detail}`);
        return reporter.onProblem(frame.code);
      case 'welcome':
        return;
    }
  };
  const status = (): Status => {
    const connected = channel?.connected() ?? false;
    return statusOf({ enrollment, connected, state: policyState.current(now()), selfTest, spool, runs: runs.all().length });
  };
  const local = await startLocalApi(
    runtimeDir,
    accounts,
    createConversation({
      launcher,
      runs,
      state: () => policyState.current(now()),
      status,
      report: spool.append,
      installation,
      clock,
    }),
  );
  const leaving = new AbortController();
  channel = startChannel({
    enrollment,
    key,
    signal: leaving.signal,
    log,
    random: Math.random,
    onFrame,
    hello: () => {
      const state = policyState.current(now());
      return {
        type: 'hello',
        protocol: PROTOCOL,
        boot: spool.boot,
        agentVersion: AGENT_VERSION,
        trust: { roots: policyState.trusted().roots.length, floor: sha256Hex(policyState.trusted().floor) },
        enforcing: state === undefined ? null : { epoch: state.epoch, serial: state.serial, digest: state.digest, cohort: state.cohort },
        checkpoint: state === undefined ? null : { epoch: state.epoch, serial: state.serial, digest: state.checkpointDigest },
      };
    },
    onConnected: () => {
      const state = inForce();
      if (state !== null) channel?.send({ type: 'ack', ...state, phase: 'enforced' });
      if (selfTest !== undefined) channel?.send({ type: 'selftest', result: selfTest });
      reporter.onConnected();
    },
  });
  log(`serves ${accounts.map(({ name }) => name).join(', ')}; device ${enrollment.device}`);
  const loaded = policyState.current(now());
  if (loaded !== undefined) {
    spool.append({ kind: 'policy', state: 'confirmed', digest: loaded.digest, epoch: loaded.epoch, serial: loaded.serial });
    testSoon(loaded);
  }
  const tester = setInterval(() => {
    const state = policyState.current(now());
    if (state !== undefined) testSoon(state);
  }, SELF_TEST_MS);
  await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));
  clearInterval(tester);
  await reporter.finish();
  leaving.abort();
  local.stop();
  for (const { run } of runs.all()) run.kill('killed');
  const patience = new AbortController();
  const ended = Promise.all([...runs.all().map(({ run }) => run.ended), channel.done]);
  // An aborted wait is the end that was hoped for.
  await Promise.race([ended, wait(STOP_MS, undefined, { signal: patience.signal }).catch(() => undefined)]);
  patience.abort();
  await launcher.stop();
  spool.close();
  egress.stop();
  lock.release();
};
