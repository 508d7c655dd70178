/** One local conversation: a run with its bytes, a why, or a status. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Launcher, Run } from '../launch/launcher.ts';
import type { TerminalSize } from '../launch/terminal.ts';
import { accountNamed, type Account } from '../local-api/accounts.ts';
import { encode, KIND, type Request, type Status } from '../local-api/protocol.ts';
import type { Caller, Conversation } from '../local-api/server.ts';
import { effectiveFor, planFor, type HostFacts } from './decide.ts';
import { createInput } from './input.ts';
import { claimedBy, readManifest, requireNeeds, underManifest } from './manifest.ts';
import type { RunTable } from './run-table.ts';
import { subjectOf } from './subject.ts';
import { explainTarget } from './why.ts';

export interface Services {
  readonly launcher: Launcher;
  readonly runs: RunTable;
  readonly state: () => VerifiedState | undefined;
  readonly status: () => Status;
  readonly report: (event: NewEvent) => void;
  /** Replaces the device's key. @returns the thumbprint of the one in force then */
  readonly rotateKey: () => Promise<string>;
  readonly host: HostFacts;
  readonly clock: () => number;
}

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
    const input = createInput((cost) => caller.reply({ type: 'taken', cost }));
    let size: TerminalSize | undefined;
    /** Nobody wants it any more, perhaps before it has begun. */
    let unwanted = false;
    let values: (values: Readonly<Record<string, string>>) => void = () => undefined;

    const start = async (request: RunRequest): Promise<void> => {
      const id = `run_${randomBytes(12).toString('base64url')}`;
      const { terminal } = request;
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
        const plan = planFor(state, effective, request.cwd, services.host);
        const asked = new Promise<Readonly<Record<string, string>>>((resolve) => (values = resolve));
        if (plan.environment.length > 0) caller.reply({ type: 'environment', names: plan.environment });
        const given = plan.environment.length > 0 ? await asked : {};
        const env = Object.fromEntries(Object.entries(given).filter(([name]) => plan.environment.includes(name)));
        const begun = await services.launcher.launch({ run: id, plan, argv: request.argv, env, cwd: request.cwd, user: account, terminal });
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
        if (size !== undefined) begun.resize(size);
        input.begin(begun);
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
    const answer = async (request: WhyRequest): Promise<void> => {
      try {
        caller.reply({
          type: 'why',
          explanation: await explainTarget(services.state(), request, accountFor(caller.account, request.user)),
        });
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
