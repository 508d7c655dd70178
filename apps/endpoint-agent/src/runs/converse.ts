/** One local conversation: a run with its bytes, a why, or a status. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { RunReports } from '../audit/run-reports.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Learning } from '../learn/learning.ts';
import type { Launcher, Run } from '../launch/launcher.ts';
import type { TerminalSize } from '../launch/terminal.ts';
import type { Reply, Request, RunNotice, Status } from '../local-api/protocol.ts';
import type { Account } from '../local-api/accounts.ts';
import type { Caller, Conversation } from '../local-api/server.ts';
import { planFor, type HostFacts } from './decide.ts';
import { tellFinding } from './findings.ts';
import { createInput } from './input.ts';
import { claimedBy, readManifest } from './manifest.ts';
import { createNesting, depthOf, effectiveOf, MAX_DEPTH, requireSeen, requireWithin } from './nesting.ts';
import type { Enforcement } from './enforcement.ts';
import { endBelow, relay } from './relay.ts';
import type { LiveRun, RunTable } from './run-table.ts';
import { subjectOf } from './subject.ts';
import { accountFor, requireOrdinary } from './whom.ts';
import { advised, whoseIs } from './whose.ts';
import { explainTarget } from './why.ts';

export interface Services {
  readonly launcher: Launcher;
  readonly runs: RunTable;
  readonly state: () => VerifiedState | undefined;
  readonly status: () => Status;
  readonly report: (event: NewEvent) => void;
  /** A run did not start, and why: for whoever asked; told before the event of it. */
  readonly refused?: (run: string, account: Account, error: { readonly code: string; readonly message: string }) => void;
  readonly enforcement: Pick<Enforcement, 'judge' | 'noticeOf'>;
  readonly learning?: Learning;
  readonly reports?: Pick<RunReports, 'onBegun' | 'onEnding'>;
  /** Replaces the device's key. @returns the thumbprint of the one in force then */
  readonly rotateKey: () => Promise<string>;
  readonly host: HostFacts;
  readonly clock: () => number;
}

type RunRequest = Extract<Request, { op: 'run' }>;
type WhyRequest = Extract<Request, { op: 'why' }>;

/** What is answered here; the rest by the conversations around this one. */
const OWN = ['run', 'why', 'status', 'rotate-key', 'environment', 'resize', 'signal'] as const;
const isOwn = (request: Request): request is Extract<Request, { op: (typeof OWN)[number] }> => OWN.some((op) => op === request.op);

/** What may be asked from inside a run. */
const INSIDE: readonly Request['op'][] = ['run', 'status', 'environment', 'resize', 'signal'];

/** A plain object: what an error says is not among the members that a copy of it has. */
const describe = (error: unknown): { code: string; message: string } => ({
  code: error instanceof CordonError ? error.code : 'launch.failed',
  message: error instanceof Error ? error.message : String(error),
});

export const createConversation = (services: Services): ((caller: Caller) => Conversation) => {
  const nesting = createNesting(services.runs, services.clock);
  return (caller) => {
    let run: Run | undefined;
    const input = createInput((cost) => caller.reply({ type: 'taken', cost }));
    let size: TerminalSize | undefined;
    /** Nobody wants it any more, perhaps before it has begun. */
    let unwanted = false;
    let values: (values: Readonly<Record<string, string>>) => void = () => undefined;
    const parent = caller.inside;

    const start = async (request: RunRequest): Promise<void> => {
      const id = `run_${randomBytes(12).toString('base64url')}`;
      const { terminal } = request;
      const program = path.basename(request.argv[0] ?? '').slice(0, 128);
      let common = { run: id, agent: request.agent ?? 'unknown', osUser: caller.account.name };
      let leave: () => void = () => undefined;
      try {
        const account = accountFor(caller, request.user);
        requireOrdinary(account);
        if (parent !== undefined) {
          leave = nesting.enter(parent);
          requireSeen(parent, request.cwd);
        }
        const lesson = request.learn === true ? services.learning?.begin(account, parent !== undefined) : undefined;
        const manifest = await readManifest(request.manifest);
        const subject = claimedBy(manifest, subjectOf(request.argv, request.cwd, account, request.agent), request.agent);
        common = { run: id, agent: subject.agent.id, osUser: account.name };
        const state = services.state();
        const asking = { subject, manifest, cwd: request.cwd, account, parent };
        const effective = effectiveOf(state, asking);
        if (state === undefined) return;
        const plan = planFor(state, effective, request.cwd, services.host);
        if (parent !== undefined) requireWithin(plan, parent);
        const asked = new Promise<Readonly<Record<string, string>>>((resolve) => (values = resolve));
        if (plan.environment.length > 0) caller.reply({ type: 'environment', names: plan.environment });
        const given = plan.environment.length > 0 ? await asked : {};
        const env = Object.fromEntries(Object.entries(given).filter(([name]) => plan.environment.includes(name)));
        const begun = await services.launcher.launch({
          run: id,
          plan,
          argv: request.argv,
          env,
          cwd: request.cwd,
          user: account,
          parent: parent?.run,
          terminal,
          onHeld: lesson?.attach,
          onFinding: tellFinding(common, services.report, caller.reply),
        });
        run = begun;
        const startedAt = services.clock();
        const { filesystem } = plan.request;
        const tell = (notice: RunNotice): void => caller.reply({ type: 'notice', ...notice });
        const learner = lesson?.learner;
        const live: LiveRun = { ...asking, run: begun, effective, filesystem, network: plan.egress, startedAt, tell, learner };
        learner?.begin(live);
        services.runs.add(live);
        services.report({
          kind: 'run.started',
          ...common,
          program,
          ...(parent !== undefined && { parent: parent.run.run }),
          digest: state.digest,
          controls: plan.controls.map(({ control, state: how }) => ({ control, state: how })),
          attested: true,
        });
        services.reports?.onBegun(live);
        caller.reply({ type: 'started', run: id });
        relay(caller, begun);
        if (size !== undefined) begun.resize(size);
        input.begin(begun);
        // What is in force may have changed while it was prepared, or its parent ended; it was not there yet to be judged again.
        const isAlone = parent !== undefined && !services.runs.all().includes(parent);
        const inForce = services.state();
        if (unwanted || isAlone || inForce === undefined) begun.kill('killed');
        else if (inForce.digest !== state.digest) services.enforcement.judge(inForce, live);
        const end = await begun.ended;
        services.runs.remove(id);
        await endBelow(services.runs, live);
        for (const reply of (await lesson?.finish(live)) ?? []) caller.reply(reply);
        services.reports?.onEnding(live);
        services.report({
          kind: 'run.ended',
          ...common,
          reason: end.reason,
          exitCode: end.exitCode,
          durationMs: Math.max(0, Math.round(services.clock() - startedAt)),
        });
        caller.reply({ type: 'ended', reason: end.reason, exitCode: end.exitCode });
        caller.socket.end();
      } catch (error) {
        const { code, message } = advised(describe(error), services.state);
        run?.kill('killed');
        services.runs.remove(id);
        services.refused?.(id, caller.account, { code, message });
        services.report({ kind: 'launch.refused', ...common, code, program });
        caller.reply({ type: 'error', code, message });
        caller.socket.end();
      } finally {
        leave();
      }
    };
    const answer = async (request: WhyRequest): Promise<void> => {
      try {
        const state = services.state();
        const answered = await explainTarget(state, request, accountFor(caller, request.user));
        caller.reply({ type: 'why', ...answered, ask: whoseIs(state, answered.explanation.rule?.policy) });
      } catch (error) {
        caller.reply({ type: 'error', ...describe(error) });
      }
    };
    const replaceKey = async (): Promise<void> => {
      try {
        if (caller.account.uid !== 0 && caller.account.uid !== process.getuid?.())
          throw new CordonError('local.user', "only root, or the daemon's own account, may have the device's key replaced");
        caller.reply({ type: 'rotated', key: await services.rotateKey() });
      } catch (error) {
        caller.reply({ type: 'error', ...describe(error) });
      }
    };
    const statusReply = (): Reply => {
      if (parent === undefined) return { type: 'status', status: services.status() };
      const { run: self, subject, account } = parent;
      const levels = MAX_DEPTH - depthOf(parent);
      return {
        type: 'inside',
        status: {
          run: self.run,
          parent: parent.parent?.run.run ?? null,
          agent: subject.agent.id,
          user: account.name,
          levels,
          notice: services.enforcement.noticeOf(parent) ?? null,
        },
      };
    };
    let running = false;
    return {
      onRequest: (request) => {
        if (parent !== undefined && !INSIDE.includes(request.op))
          throw new CordonError('local.inside', `${request.op} is not for runs: ask outside`);
        if (!isOwn(request)) return;
        switch (request.op) {
          case 'run':
            if (running) return;
            running = true;
            void start(request);
            break;
          case 'why':
            void answer(request);
            break;
          case 'status':
            caller.reply(statusReply());
            break;
          case 'rotate-key':
            void replaceKey();
            break;
          case 'environment':
            values(request.values);
            break;
          case 'resize':
            size = request;
            run?.resize(request);
            break;
          case 'signal':
            unwanted = true;
            run?.kill('killed');
            break;
        }
      },
      onInput: input.take,
      onClose: () => {
        unwanted = true;
        values({});
        run?.kill('killed');
      },
    };
  };
};
