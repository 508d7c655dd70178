/**
 * What a candidate set of policies would have newly denied or allowed, from recorded accesses. Streaming: what it keeps is bounded, totals are exact, and what
 * found no place in the rows is counted. For devices with the same policies, so one simulation per cohort.
 */
import type { PathVariables } from '../effective.ts';
import { CordonError } from '../errors.ts';
import { canonicalHost } from '../match/host.ts';
import { canonicalPath } from '../match/path.ts';
import { decidersFor, namesIn, outcomeOf, type Deciders, type Outcome, type Sets } from './outcome.ts';
import { Recent } from './recent.ts';
import type { RecordedAccess, VariablesFor } from './recorded.ts';
import { Rows, type SimulatedRow } from './rows.ts';

export interface SimulationLimits {
  /** Subjects whose deciders are kept. */
  readonly subjects: number;
  /** Decided accesses that are kept. */
  readonly targets: number;
  readonly rows: number;
}

export interface SimulationOptions extends Omit<Sets, 'floor'> {
  readonly floor?: Sets['floor'];
  /** Needed for files; without it, or where it knows nothing, they are undecided. */
  readonly variablesFor?: VariablesFor;
  readonly limits?: Partial<SimulationLimits>;
}

export interface SimulationResult {
  readonly events: number;
  readonly unchanged: number;
  /** Newly denied, newly allowed. */
  readonly denied: number;
  readonly allowed: number;
  readonly undecided: { readonly withoutVariables: number; readonly notUnderstood: number };
  /** Recorded with another verdict than the set before gives: an older policy, an address, or a request that the record does not hold. */
  readonly disagreed: number;
  readonly rows: readonly SimulatedRow[];
  /** Changed accesses that stand in no row, because there were too many different ones. */
  readonly overflow: number;
}

export interface Simulation {
  add(event: RecordedAccess): void;
  /** May be asked at any time. */
  result(): SimulationResult;
}

const DEFAULTS: SimulationLimits = { subjects: 256, targets: 65_536, rows: 10_000 };
/** Nothing that the network knows depends on what path variables stand for. */
const NOWHERE: PathVariables = { home: '/', workspace: undefined, tmp: '/', tools: [], agent: [] };
const NOWHERE_ON_WINDOWS: PathVariables = { ...NOWHERE, home: 'C:\\', tmp: 'C:\\' };

/** A subject, by a number. */
interface Known {
  readonly number: number;
  readonly deciders: Deciders;
}
interface Decided {
  /** Undefined for a host or path that is none. */
  readonly outcome: Outcome | undefined;
  /** Number of the change, for the rows. */
  readonly change: number;
}
const NOT_UNDERSTOOD: Decided = { outcome: undefined, change: -1 };

const targetOf = (event: RecordedAccess): string => {
  if (event.kind === 'file') return `${event.access} ${event.path}`;
  const { http, host, port } = event;
  return http === undefined ? `${port} ${host}` : JSON.stringify([port, host, http.method, http.path]);
};

/** @returns the event with its host or path as rules know it, or undefined for what is none */
const understood = (event: RecordedAccess): RecordedAccess | undefined => {
  try {
    return event.kind === 'egress'
      ? { ...event, host: canonicalHost(event.host) }
      : { ...event, path: canonicalPath(event.path, event.os) };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return undefined;
  }
};

export const createSimulation = ({ before, after, floor, variablesFor, limits }: SimulationOptions): Simulation => {
  const room = { ...DEFAULTS, ...limits };
  const sets: Sets = { before, after, floor };
  const agentOf = namesIn(sets, 'agents');
  const userOf = namesIn(sets, 'users');
  const subjects = new Recent<Known>(room.subjects);
  const decided = new Recent<Decided>(room.targets);
  const rows = new Rows(room.rows);
  const count = { events: 0, unchanged: 0, denied: 0, allowed: 0, withoutVariables: 0, notUnderstood: 0, disagreed: 0 };
  let numbers = 0;

  const subjectFor = (event: RecordedAccess): Known | undefined => {
    const { os, proof = 'proven' } = event;
    const variables = event.kind === 'file' ? variablesFor?.(event) : os === 'windows' ? NOWHERE_ON_WINDOWS : NOWHERE;
    if (variables === undefined) return undefined;
    const [agent, user] = [agentOf(event.agent), userOf(event.osUser)];
    const where = event.kind === 'file' ? JSON.stringify(variables) : '';
    return subjects.get(`${os} ${proof} ${agent.length} ${agent} ${user.length} ${user} ${where}`, () => ({
      number: (numbers += 1),
      deciders: decidersFor(sets, { agent: { id: agent, proof }, user, os }, variables),
    }));
  };

  const decide = ({ number, deciders }: Known, event: RecordedAccess): Decided =>
    decided.get(`${number} ${targetOf(event)}`, () => {
      const canonical = understood(event);
      if (canonical === undefined) return NOT_UNDERSTOOD;
      const outcome = outcomeOf(deciders, canonical);
      return { outcome, change: outcome.kind === 'unchanged' ? -1 : rows.numberOf(outcome) };
    });

  return {
    add: (event) => {
      count.events += 1;
      const subject = subjectFor(event);
      if (subject === undefined) return void (count.withoutVariables += 1);
      const { outcome, change } = decide(subject, event);
      if (outcome === undefined) return void (count.notUnderstood += 1);
      const was = outcome.kind === 'unchanged' ? outcome.verdict : outcome.kind === 'denied' ? 'allowed' : 'denied';
      if (event.verdict !== undefined && event.verdict !== was) count.disagreed += 1;
      count[outcome.kind] += 1;
      if (outcome.kind !== 'unchanged') rows.add(event.device, event.agent, change, outcome);
    },
    result: () => {
      const { withoutVariables, notUnderstood, ...totals } = count;
      return { ...totals, undecided: { withoutVariables, notUnderstood }, rows: rows.all(), overflow: rows.overflow };
    },
  };
};
