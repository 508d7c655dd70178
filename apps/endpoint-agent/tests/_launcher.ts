/** A real launcher with its egress process: what the daemon launches with, without the daemon. Plans come from policy text, by the functions that the daemon uses. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { ResourceMeans } from '@cordon/policy/compile/bubblewrap-controls.ts';
import { compileBubblewrap } from '@cordon/policy/compile/bubblewrap.ts';
import { preparePolicy } from '@cordon/policy/document/prepare.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import { resolve } from '@cordon/policy/resolve.ts';
import { startEgress, type Egress } from '../src/egress/egress.ts';
import type { Decision } from '../src/egress/messages.ts';
import { closeInherited } from '../src/launch/descriptors.ts';
import { installHelpers, type Helpers } from '../src/launch/helpers.ts';
import { openLimiter, type Limiter } from '../src/launch/limiter.ts';
import { createLauncher, type Launcher, type LauncherOptions, type LaunchRequest, type Run, type RunEnd } from '../src/launch/launcher.ts';
import fs from 'node:fs';
import { IS_ROOT, type World } from './_world.ts';

export const policyText = (spec: string): string => `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: story }
spec:
${spec.replaceAll(/^/gm, '  ')}
`;

export const WORKSPACE_ONLY = 'allow: { filesystem: { write: ["${workspace}"] } }';

/** The plan that a device compiles for this account under one policy. */
export const planOf = (world: World, spec: string, cwd = world.workspace, limits?: ResourceMeans): LaunchPlan => {
  const { account } = world;
  const effective = resolve({
    policies: [
      preparePolicy({ policy: 'pol_story', name: 'story', revision: 1, document: parsePolicy(policyText(spec)).document, because: [] }),
    ],
    floor: undefined,
    subject: { agent: { id: 'unknown', proof: 'claimed' }, user: account.name, os: 'linux' },
    variables: { home: account.home, workspace: cwd, tmp: '/tmp', tools: [], agent: [] },
  });
  return compileBubblewrap(effective, {
    exists: (place) => fs.existsSync(place),
    isDirectory: (place) => fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false,
    installation: [],
    ...(limits !== undefined && { limits }),
  });
};

export interface Finished {
  readonly end: RunEnd;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestLauncher {
  readonly launcher: Launcher;
  readonly options: LauncherOptions;
  readonly limiter: Limiter;
  readonly egress: Egress;
  readonly helpers: Helpers;
  readonly decisions: readonly Decision[];
  request(argv: readonly string[], change?: Partial<LaunchRequest>): LaunchRequest;
  /** Starts it and waits until it has ended. */
  run(argv: readonly string[], change?: Partial<LaunchRequest>, input?: string | Buffer): Promise<Finished>;
  /** A shell line. */
  sh(line: string, change?: Partial<LaunchRequest>, input?: string | Buffer): Promise<Finished>;
  /** Another launcher, with something changed, that prepares nothing ahead. */
  another(change: Partial<LauncherOptions>): Launcher;
  stop(): Promise<void>;
}

/** Everything that a run says, and how it ended. */
export const finish = async (run: Run, input: string | Buffer = ''): Promise<Finished> => {
  run.stdin.end(input);
  const [stdout, stderr, end] = await Promise.all([buffer(run.stdout), buffer(run.stderr), run.ended]);
  return { end, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8') };
};

export const startLauncher = async (world: World, hosts: Readonly<Record<string, string>> = {}): Promise<TestLauncher> => {
  const { account, runtimeDir } = world;
  const decisions: Decision[] = [];
  closeInherited(); // as the daemon does at its start: whoever ran the tests may have left something open
  const helpers = installHelpers(path.join(runtimeDir, 'helpers'));
  const egress = await startEgress({
    runtimeDir,
    hosts,
    ...(IS_ROOT && { dropTo: { uid: account.uid, gid: account.gid } }),
    onDecision: (decision) => decisions.push(decision),
  });
  const launchDir = path.join(runtimeDir, 'launch');
  fs.mkdirSync(launchDir, { mode: 0o700 });
  const limiter = await openLimiter();
  const options: LauncherOptions = { runtimeDir: launchDir, helpers, egress, limiter };
  const launcher = createLauncher(options);
  const request: TestLauncher['request'] = (argv, change = {}) => ({
    run: `run_${randomBytes(9).toString('base64url')}`,
    plan: change.plan ?? planOf(world, WORKSPACE_ONLY),
    argv,
    env: {},
    cwd: world.workspace,
    user: account,
    ...change,
  });
  const run: TestLauncher['run'] = async (argv, change, input) => finish(await launcher.launch(request(argv, change)), input);
  return {
    launcher,
    options,
    limiter,
    egress,
    helpers,
    decisions,
    request,
    run,
    another: (change) => {
      const other = createLauncher({ ...options, ...change });
      void other.stop();
      return other;
    },
    sh: (line, change, input) => run(['sh', '-c', line], change, input),
    stop: async () => {
      await launcher.stop();
      egress.stop();
      limiter.close();
    },
  };
};
