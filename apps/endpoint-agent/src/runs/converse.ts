/** One local conversation: a run with its bytes, a why, or a status. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { createDecider } from '@cordon/policy/decide/decider.ts';
import { RIGHTS, type Explanation } from '@cordon/policy/effective.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Launcher, Run } from '../launch/launcher.ts';
import { accountNamed, type Account } from '../local-api/accounts.ts';
import { encode, KIND, type Request, type Status } from '../local-api/protocol.ts';
import type { Caller, Conversation } from '../local-api/server.ts';
import { effectiveFor, planFor } from './decide.ts';
import { claimedBy, readManifest, requireNeeds, underManifest } from './manifest.ts';
import type { RunTable } from './run-table.ts';
import { subjectOf } from './subject.ts';

export interface Services {
  readonly launcher: Launcher;
  readonly runs: RunTable;
  readonly state: () => VerifiedState | undefined;
  readonly status: () => Status;
  readonly report: (event: NewEvent) => void;
  /** Places of Cordon's own programs: never writable from inside a run. */
  readonly installation: readonly string[];
  readonly clock: () => number;
}

/** Input before its run: none is expected, little is kept, and nothing is lost without a word. */
const EARLY_CHUNKS = 64;

type RunRequest = Extract<Request, { op: 'run' }>;
type WhyRequest = Extract<Request, { op: 'why' }>;

/** Only root's own socket may speak for another account. @throws CordonError `local.user` */
const accountFor = (caller: Account, named: string | undefined): Account => {
  if (named === undefined || named === caller.name) return caller;
  if (caller.uid !== 0) throw new CordonError('local.user', 'only root may name another user');
  const account = accountNamed(named);
  if (account === undefined) throw new CordonError('local.user', `there is no account ${named}`);
  return account;
};

/** The name of a control, a variable with `$` before it, or a path: it holds a slash or begins with a dot or a tilde, and nothing else is written to. Everything else is a host. */
const explainTarget = async (services: Services, request: WhyRequest, account: Account): Promise<Explanation> => {
  const { target, access, cwd, agent } = request;
  const manifest = await readManifest(request.manifest);
  const asked = { agent: { id: agent ?? 'unknown', proof: 'claimed' }, user: account.name, os: 'linux' } as const;
  const subject = claimedBy(manifest, asked, agent);
  const effective = underManifest(effectiveFor(services.state(), subject, cwd, account), manifest, cwd, account);
  const decider = createDecider(effective);
  const right = RIGHTS.find((name) => name === target);
  if (right !== undefined) return decider.right(right);
  if (target.startsWith('$')) return decider.variable(target.slice(1));
  if ((target.includes('/') && !target.includes('://')) || /^[.~]/.test(target) || access === 'write')
    return decider.path(path.resolve(cwd, target.replace(/^~(?=\/|$)/, account.home)), access);
  const match = /^(\[[^\]]*\]|[^:]+)(?::(\d{1,5}))?$/.exec(target);
  const port = Number(match?.[2] ?? 443);
  if (match === null || port < 1 || port > 65_535)
    throw new CordonError(
      'why.target',
      `${target} is neither a path, a host with an optional port such as github.com:443, a control such as ui.windows, nor a variable such as $LANG`,
    );
  return decider.host(match[1] ?? '', port);
};

const relay = ({ socket }: Caller, run: Run): void => {
  for (const [kind, stream] of [
    [KIND.stdout, run.stdout],
    [KIND.stderr, run.stderr],
  ] as const) {
    stream.on('data', (chunk: Buffer) => {
      // Nobody is there any more: what it still says must not keep it from its end.
      if (socket.destroyed || socket.write(encode(kind, chunk))) return;
      stream.pause();
      socket.once('drain', () => stream.resume());
    });
    socket.once('close', () => stream.resume());
  }
};

/** A plain object: what an error says is not among the members that a copy of it has. */
const describe = (error: unknown): { code: string; message: string } => ({
  code: error instanceof CordonError ? error.code : 'launch.failed',
  message: error instanceof Error ? error.message : String(error),
});

export const createConversation =
  (services: Services) =>
  (caller: Caller): Conversation => {
    let run: Run | undefined;
    let early: Buffer[] = [];
    /** Nobody wants it any more, perhaps before it has begun. */
    let unwanted = false;
    let values: (values: Readonly<Record<string, string>>) => void = () => undefined;

    const start = async (request: RunRequest): Promise<void> => {
      const id = `run_${randomBytes(12).toString('base64url')}`;
      const program = path.basename(request.argv[0] ?? '').slice(0, 128);
      let common = { run: id, agent: request.agent ?? 'unknown', osUser: caller.account.name };
      try {
        const account = accountFor(caller.account, request.user);
        if (account.uid === 0)
          throw new CordonError(
            'launch.root',
            'a workload never runs as root: root inside a sandbox undoes its rules. Run as an ordinary account, or name one with --user',
          );
        const manifest = await readManifest(request.manifest);
        const subject = claimedBy(manifest, subjectOf(request.argv, request.cwd, account, request.agent), request.agent);
        common = { run: id, agent: subject.agent.id, osUser: account.name };
        const state = services.state();
        const effective = underManifest(effectiveFor(state, subject, request.cwd, account), manifest, request.cwd, account);
        if (state === undefined) return;
        requireNeeds(effective, manifest, request.cwd, account);
        const plan = planFor(state, effective, request.cwd, services.installation);
        const asked = new Promise<Readonly<Record<string, string>>>((resolve) => (values = resolve));
        if (plan.environment.length > 0) caller.reply({ type: 'environment', names: plan.environment });
        const given = plan.environment.length > 0 ? await asked : {};
        const env = Object.fromEntries(Object.entries(given).filter(([name]) => plan.environment.includes(name)));
        const begun = await services.launcher.launch({ run: id, plan, argv: request.argv, env, cwd: request.cwd, user: account });
        run = begun;
        const startedAt = services.clock();
        const { filesystem } = plan.request;
        services.runs.add({ run: begun, subject, account, cwd: request.cwd, manifest, effective, filesystem, startedAt });
        services.report({
          kind: 'run.started',
          ...common,
          program,
          digest: state.digest,
          controls: plan.controls.map(({ control, state: how }) => ({ control, state: how })),
          attested: true,
        });
        caller.reply({ type: 'started', run: id });
        relay(caller, begun);
        begun.stdin.once('close', () => caller.socket.resume());
        for (const chunk of early.splice(0)) feed(begun, chunk);
        // What is in force may have changed while it was prepared; it was not there yet to be judged again.
        if (unwanted || services.state()?.digest !== state.digest) begun.kill('killed');
        const end = await begun.ended;
        services.runs.remove(id);
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
        const { code, message } = describe(error);
        run?.kill('killed');
        services.runs.remove(id);
        services.report({ kind: 'launch.refused', ...common, code, program });
        caller.reply({ type: 'error', code, message });
        caller.socket.end();
      }
    };
    /** An empty chunk is the end of input. What a run does not take any more, nobody does. */
    const feed = (to: Run, chunk: Buffer): void => {
      if (!to.stdin.writable) return;
      if (chunk.length === 0) to.stdin.end();
      else if (!to.stdin.write(chunk)) {
        caller.socket.pause();
        to.stdin.once('drain', () => caller.socket.resume());
      }
    };
    const answer = async (request: WhyRequest): Promise<void> => {
      try {
        caller.reply({ type: 'why', explanation: await explainTarget(services, request, accountFor(caller.account, request.user)) });
      } catch (error) {
        caller.reply({ type: 'error', ...describe(error) });
      }
    };
    let running = false;
    return {
      onRequest: (request) => {
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
            caller.reply({ type: 'status', status: services.status() });
            break;
          case 'environment':
            values(request.values);
            break;
          case 'signal':
            unwanted = true;
            run?.kill('killed');
            break;
        }
      },
      onInput: (chunk) => {
        if (run !== undefined) return feed(run, chunk);
        if (early.length >= EARLY_CHUNKS) throw new CordonError('local.early', 'input comes after the run has started');
        early = [...early, chunk];
      },
      onClose: () => {
        unwanted = true;
        values({});
        run?.kill('killed');
      },
    };
  };
