/** Learning beside one run: the recorder is attached while the gate is closed, and what was learned is told when the run has ended. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { RunReports } from '../audit/run-reports.ts';
import type { Account } from '../local-api/accounts.ts';
import type { Owner } from '../launch/descriptors.ts';
import type { Helpers } from '../launch/helpers.ts';
import type { LiveRun } from '../runs/run-table.ts';
import { variablesOf } from '../runs/subject.ts';
import { createLearner, type Learner } from './learner.ts';
import { parted, type LearnReply } from './learned.ts';
import { findStrace, startRecorder, type Recording } from './recorder.ts';

export interface Lesson {
  readonly learner: Learner;
  /** To be awaited while the gate is closed. */
  attach(init: number): Promise<void>;
  /** The run has ended. */
  finish(live: LiveRun): Promise<readonly LearnReply[]>;
}

export interface Learning {
  /** @param inside whether it is asked for from inside a run. @throws CordonError `local.inside` */
  begin(account: Account, inside: boolean): Lesson;
}

const NO_STRACE = 'strace is not installed on this machine, so files were not recorded: install the package strace, and learn again';
const NOT_ATTACHED = 'strace could not be attached to the run (does this system let processes be traced?), so files were not recorded';
const CUT_SHORT = 'the recorder ended before the run did: what came after that was not seen';

/** @param find where strace is */
export const createLearning = (
  { helpers: { setpriv } }: { readonly helpers: Pick<Helpers, 'setpriv'> },
  { counted, file }: Pick<RunReports, 'counted' | 'file'>,
  find: () => string | undefined = findStrace,
): Learning => ({
  begin: ({ uid, gid }, inside) => {
    if (inside) throw new CordonError('local.inside', 'learning is not for runs: ask outside');
    const learner = createLearner({ counted, judged: file });
    const strace = find();
    let recording: Recording | undefined;
    const owner: Owner | undefined = process.getuid?.() === 0 ? { uid, gid } : undefined;
    return {
      learner,
      attach: async (init) => {
        if (strace !== undefined) recording = await startRecorder(init, { strace, setpriv, owner, onAccess: learner.access });
      },
      finish: async ({ run, subject, account, cwd }) => {
        const complete = (await recording?.finish()) ?? false;
        const variables = variablesOf(cwd, account, subject.agent.id);
        const why = strace === undefined ? NO_STRACE : recording === undefined ? NOT_ATTACHED : complete ? null : CUT_SHORT;
        return [
          ...parted(learner.files()).map((files): LearnReply => ({ type: 'learned.files', files })),
          ...parted(learner.hosts()).map((hosts): LearnReply => ({ type: 'learned.hosts', hosts })),
          {
            type: 'learned',
            learned: {
              run: run.run,
              agent: subject.agent.id,
              user: account.name,
              variables,
              workspace: variables.workspace ?? null,
              files: { recorder: recording?.name ?? null, complete, why },
              overflow: learner.overflow(),
            },
          },
        ];
      },
    };
  },
});
