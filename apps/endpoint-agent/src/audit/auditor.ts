/**
 * Policies in audit mode, beside those that are enforced: each access of a run that is known is judged by both, and told where they differ. It decides nothing. A
 * run's own start is judged too, and what it was given.
 */
import { createDecider, type Decider } from '@cordon/policy/decide/decider.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Explanation, Verdict } from '@cordon/policy/effective.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Decision } from '../egress/messages.ts';
import { ageOf } from '../runs/age.ts';
import { auditFor } from '../runs/decide.ts';
import { enclosedOf } from '../runs/nesting.ts';
import type { LiveRun, RunTable } from '../runs/run-table.ts';
import type { Counted } from '../telemetry/counted.ts';
import { pathShown } from '../telemetry/privacy.ts';

export interface Auditor {
  /** A run has begun: whether it would have, and with what. */
  began(live: LiveRun): void;
  /** What the egress proxy decided. */
  decided(decision: Decision): void;
  /** An access to a file that a recorder saw. */
  file(live: LiveRun, access: 'read' | 'write', path: string, enforced: Verdict): void;
}

export interface AuditorOptions {
  readonly runs: Pick<RunTable, 'all'>;
  /** What is in force. */
  readonly state: () => VerifiedState | undefined;
  readonly counted: Pick<Counted, 'add'>;
}

/** Of what one run was given, in its event. */
const MOST_PLACES = 32;

export const createAuditor = ({ runs, state, counted }: AuditorOptions): Auditor => {
  const deciders = new WeakMap<LiveRun, { readonly age: string; readonly decider: Decider }>();
  /** @returns undefined where nothing is in audit mode */
  const deciderFor = (live: LiveRun): Decider | undefined => {
    const now = state();
    if (now === undefined || !now.prepared.some(({ mode }) => mode === 'audit')) return undefined;
    const age = ageOf(now);
    const known = deciders.get(live);
    if (known?.age === age) return known.decider;
    const decider = createDecider(enclosedOf(now, live, auditFor));
    deciders.set(live, { age, decider });
    return decider;
  };
  const differ = (
    live: LiveRun,
    access: 'run' | 'network' | 'read' | 'write',
    enforced: Verdict,
    { verdict, target, rule }: Pick<Explanation, 'verdict' | 'target' | 'rule'>,
  ): void => {
    if (verdict === enforced) return;
    counted.add({
      kind: 'audit',
      run: live.run.run,
      agent: live.subject.agent.id,
      osUser: live.account.name,
      verdict,
      enforced,
      access,
      target: target.slice(0, 4096),
      rule: rule?.rule.slice(0, 160) ?? 'default-deny',
      policy: rule?.policy.slice(0, 128) ?? '',
    });
  };
  const judgeFile = (live: LiveRun, decider: Decider, access: 'read' | 'write', path: string, enforced: Verdict): void => {
    const { paths } = decider.effective.settings.privacy;
    const explained = decider.path(path, access);
    differ(live, access, enforced, { ...explained, target: pathShown(explained.target, paths) });
  };
  return {
    began: (live) => {
      const decider = deciderFor(live);
      if (decider === undefined) return;
      const { refused } = decider.effective;
      if (refused !== undefined) return differ(live, 'run', 'allowed', { verdict: 'denied', target: refused.code, rule: refused.origin });
      const { readonlyPaths, readwritePaths } = live.filesystem;
      for (const path of readwritePaths.slice(0, MOST_PLACES)) judgeFile(live, decider, 'write', path, 'allowed');
      for (const path of readonlyPaths.slice(0, MOST_PLACES)) judgeFile(live, decider, 'read', path, 'allowed');
    },
    decided: ({ run, verdict, host, port, code, http, addresses }) => {
      const live = runs.all().find((entry) => entry.run.run === run);
      const decider = live && deciderFor(live);
      // What was denied for where a name leads to, and not by a rule about it, other rules about the name would not change.
      if (live === undefined || decider === undefined || (verdict === 'denied' && code !== 'egress.denied')) return;
      try {
        const explained = decider.host(host, port, http);
        const stops = (addresses ?? []).map((address) => decider.egress.addressStops(address, port)[0]);
        const stopped = explained.verdict === 'allowed' && stops.length > 0 && stops.every((stop) => stop !== undefined);
        differ(live, 'network', verdict, stopped ? { ...explained, verdict: 'denied', rule: stops[0] } : explained);
      } catch (error) {
        // A host that is none was denied for that.
        if (!(error instanceof CordonError)) throw error;
      }
    },
    file: (live, access, path, enforced) => {
      const decider = deciderFor(live);
      if (decider !== undefined) judgeFile(live, decider, access, path, enforced);
    },
  };
};
