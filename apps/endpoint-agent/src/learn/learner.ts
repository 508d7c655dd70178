/** What one run used and what was refused to it: each once, counted, and bounded. It decides nothing; the run is contained like any other. */
import { canonicalPath, isWithin } from '@cordon/policy/match/path.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { createDecider } from '@cordon/policy/decide/decider.ts';
import type { Decision } from '../egress/messages.ts';
import type { LiveRun } from '../runs/run-table.ts';
import { pathShown } from '../telemetry/privacy.ts';
import type { Counted } from '../telemetry/counted.ts';
import type { LearnedFile, LearnedHost } from './learned.ts';
import type { FileAccess } from './trace-line.ts';

export interface Learner {
  decided(decision: Decision): void;
  access(access: FileAccess): void;
  /** The run is there: what was recorded of its start is judged. */
  begin(live: LiveRun): void;
  files(): readonly LearnedFile[];
  hosts(): readonly LearnedHost[];
  /** Accesses that found no room. */
  overflow(): number;
}

export interface LearnerOptions {
  readonly counted: Pick<Counted, 'add'>;
  /** For policies in audit mode. */
  readonly judged: (live: LiveRun, access: 'read' | 'write', path: string, verdict: 'allowed' | 'denied') => void;
}

const MOST_FILES = 20_000;
const MOST_HOSTS = 2000;
/** The sandbox's own: nothing that a rule could be about. */
const OWN = ['/proc', '/dev', '/sys', '/tmp'];
/** What a sandbox says when it refuses; a missing file may only be missing. */
const REFUSALS: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);

/** @returns undefined for a name that no rule could say */
const canonical = (text: string): string | undefined => {
  try {
    return text.length > 4096 ? undefined : canonicalPath(text, 'linux');
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return undefined;
  }
};

export const createLearner = ({ counted, judged }: LearnerOptions): Learner => {
  const files = new Map<string, { readonly of: Omit<LearnedFile, 'count'>; count: number }>();
  const hosts = new Map<string, { readonly of: Omit<LearnedHost, 'count'>; count: number }>();
  let judge: ((access: FileAccess) => void) | undefined;
  let early: FileAccess[] = [];
  let lost = 0;
  const add = <T>(map: Map<string, { readonly of: T; count: number }>, most: number, key: string, of: T): void => {
    const known = map.get(key);
    if (known !== undefined) known.count += 1;
    else if (map.size < most) map.set(key, { of, count: 1 });
    else lost += 1;
  };
  /** A denial is told where a rule says so: what a program was refused, or what is hidden from it. */
  const judgeFor = (live: LiveRun): ((access: FileAccess) => void) => {
    const { run, subject, account, effective } = live;
    const decider = createDecider(effective);
    return ({ access, path, code }) => {
      if (decider.paths.allows(path, access)) return code === null ? judged(live, access, path, 'allowed') : undefined;
      const explained = decider.path(path, access);
      if (code === null || (!REFUSALS.has(code) && explained.effect !== 'deny')) return;
      judged(live, access, path, 'denied');
      counted.add({
        kind: 'file',
        run: run.run,
        agent: subject.agent.id,
        osUser: account.name,
        verdict: 'denied',
        access,
        path: pathShown(explained.target, effective.settings.privacy.paths).slice(0, 4096),
        rule: explained.rule?.rule.slice(0, 160) ?? 'default-deny',
        policy: explained.rule?.policy.slice(0, 128) ?? '',
        code,
        recorder: 'strace',
      });
    };
  };
  return {
    decided: ({ host, port, verdict, code, http }) =>
      add(hosts, MOST_HOSTS, JSON.stringify([host, port, verdict, code, http?.method]), {
        host,
        port,
        verdict,
        code: code ?? null,
        method: http?.method ?? null,
      }),
    access: (seen) => {
      const path = canonical(seen.path);
      if (path === undefined) return void (lost += 1);
      if (OWN.some((place) => isWithin(path, place, 'linux'))) return;
      const { access, code } = seen;
      add(files, MOST_FILES, `${access} ${String(code)} ${path}`, { access, path, code });
      if (judge !== undefined) judge({ access, path, code });
      else if (early.length < MOST_FILES) early.push({ access, path, code });
    },
    begin: (live) => {
      judge = judgeFor(live);
      for (const access of early.splice(0)) judge(access);
      early = [];
    },
    files: () => [...files.values()].map(({ of, count }) => ({ ...of, count })),
    hosts: () => [...hosts.values()].map(({ of, count }) => ({ ...of, count })),
    overflow: () => lost,
  };
};
