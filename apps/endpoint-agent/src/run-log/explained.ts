/** A run, from what is remembered of it: what it was given, what was denied and whom to ask, and how it ended. Pure. */
import { shellWord } from '../cli/shell-word.ts';
import type { Given, RunEntry, RunEvent } from './entry.ts';

export interface Denial {
  readonly what: 'network' | 'file';
  readonly target: string;
  readonly access: 'connect' | 'read' | 'write';
  readonly rule: string;
  readonly policy: string;
  readonly code: string;
  readonly times: number;
  readonly first: string;
  readonly last: string;
  /** Who answers for it, and where; null where nobody is named. */
  readonly owner: string | null;
  readonly contact: string | null;
  /** What it means, in plain words. */
  readonly reason: string;
  /** The command that asks for it. */
  readonly ask: string;
}

export interface Explained {
  readonly run: string;
  readonly user: string;
  readonly state: 'runs' | 'ended' | 'refused' | 'lost';
  readonly given: Omit<Given, 'kind' | 'at' | 'run'> | null;
  readonly program: string | null;
  readonly startedAt: string;
  readonly controls: readonly { readonly control: string; readonly state: string }[];
  readonly denied: readonly Denial[];
  readonly allowed: readonly { readonly target: string; readonly times: number }[];
  /** What it was told while it lived. */
  readonly notices: readonly { readonly at: string; readonly code: string; readonly endsAt: string | null }[];
  /** What somebody should look at. */
  readonly findings: readonly { readonly at: string; readonly code: string; readonly place: string }[];
  readonly refused: { readonly code: string; readonly message: string } | null;
  readonly ended: { readonly at: string; readonly reason: string; readonly exitCode: number; readonly durationMs: number } | null;
  /** Events that were not kept for want of room. */
  readonly unrecorded: number;
}

const REASONS: Readonly<Record<string, string>> = {
  'egress.private': 'its name leads to a private address, and no rule says private: true',
  'egress.network': 'its name leads to an address that a rule stops',
  'egress.unresolved': 'its name has no address',
};

const reasonOf = (code: string, rule: string, policy: string): string => {
  const known = REASONS[code];
  if (known !== undefined) return known;
  if (rule === 'default-deny' || rule === '') return 'no rule allows it';
  return `rule ${rule}${policy === '' ? '' : ` of policy ${policy}`} denies it`;
};

type Seen = Extract<RunEvent, { kind: 'egress' | 'file' }>;

const denialOf = (events: readonly Seen[], given: Given | undefined): Denial => {
  const [first, last] = [events[0], events.at(-1)] as [Seen, Seen];
  const target = first.kind === 'egress' ? `${first.host}:${first.port}` : first.path;
  const policy = given?.policies.find(({ name }) => name === first.policy);
  // Where no rule stands against it, whoever could allow it is who owns what the run was given.
  const owners = policy === undefined && given !== undefined ? given.policies.filter(({ owner }) => owner !== undefined) : [];
  const answers = policy ?? (owners.length === 1 ? owners[0] : undefined);
  const write = first.kind === 'file' && first.access === 'write' ? ' --write' : '';
  return {
    what: first.kind === 'egress' ? 'network' : 'file',
    target,
    access: first.kind === 'egress' ? 'connect' : first.access,
    rule: first.rule,
    policy: first.policy,
    code: first.code ?? 'egress.denied',
    times: Math.max(...events.map(({ count = 1 }) => count)),
    first: first.at,
    last: last.at,
    owner: answers?.owner ?? null,
    contact: answers?.contact ?? null,
    reason: reasonOf(first.kind === 'egress' ? (first.code ?? '') : '', first.rule, first.policy),
    ask: `cordon request ${shellWord(target)}${write}`,
  };
};

const grouped = (events: readonly Seen[]): Seen[][] => {
  const groups = new Map<string, Seen[]>();
  for (const event of events) {
    const target = event.kind === 'egress' ? `${event.host}:${event.port}` : `${event.access} ${event.path}`;
    const key = `${event.kind} ${target} ${event.rule} ${event.policy} ${event.code ?? ''}`;
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  return [...groups.values()];
};

/** @param isLive whether the daemon has it among its runs: one that neither lives nor has an end was lost with its daemon */
export const explainRun = (entries: readonly RunEntry[], isLive: boolean): Explained | undefined => {
  const [beginning] = entries;
  if (beginning === undefined || (beginning.kind !== 'given' && beginning.kind !== 'refused')) return undefined;
  const of = <K extends RunEntry['kind']>(kind: K): Extract<RunEntry, { kind: K }>[] =>
    entries.filter((entry): entry is Extract<RunEntry, { kind: K }> => entry.kind === kind);
  const given = beginning.kind === 'given' ? beginning : undefined;
  const [started] = of('run.started');
  const ended = of('run.ended').at(-1);
  const seen = [...of('egress'), ...of('file')];
  const { kind: _kind, at: _at, run: _run, ...rest } = given ?? { kind: '', at: '', run: '' };
  return {
    run: beginning.run,
    user: beginning.user,
    state: beginning.kind === 'refused' ? 'refused' : ended !== undefined ? 'ended' : isLive ? 'runs' : 'lost',
    given: given === undefined ? null : (rest as Omit<Given, 'kind' | 'at' | 'run'>),
    program: started?.program ?? null,
    startedAt: beginning.at,
    controls: started?.controls ?? [],
    denied: grouped(seen.filter(({ verdict }) => verdict === 'denied')).map((events) => denialOf(events, given)),
    allowed: grouped(of('egress').filter(({ verdict }) => verdict === 'allowed')).map((events) => ({
      target: events[0]?.kind === 'egress' ? `${events[0].host}:${events[0].port}` : '',
      times: Math.max(...events.map(({ count = 1 }) => count)),
    })),
    notices: of('run.notice').map(({ at, code, endsAt }) => ({ at, code, endsAt })),
    findings: of('run.finding').map(({ at, code, place }) => ({ at, code, place })),
    refused: beginning.kind === 'refused' ? { code: beginning.code, message: beginning.message } : null,
    ended: ended === undefined ? null : { at: ended.at, reason: ended.reason, exitCode: ended.exitCode, durationMs: ended.durationMs },
    unrecorded: of('more').reduce((sum, { count }) => sum + count, 0),
  };
};
