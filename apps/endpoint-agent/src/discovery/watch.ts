/** Looks again and again which agents run, and finds those that no run of this daemon contains. */
import { PROFILES } from '@cordon/policy/agents/profiles.ts';
import type { Uncontained } from '@cordon/policy/effective.ts';
import type { AgentProcess, Look } from './processes.ts';
import { createSightings, keyOf, type Sightings, type UncontainedEvent } from './sightings.ts';

/** Between two looks; what is outside twice, a second apart, is a finding. Together well within the ten seconds that are promised. */
const LOOK_MS = 5000;
const AGAIN_MS = 1000;

/** They run models, not tools: part of the inventory, and never a finding. */
const MODEL_RUNTIMES: ReadonlySet<string> = new Set(PROFILES.filter(({ kind }) => kind === 'local-runtime').map(({ id }) => id));

export interface WatchOptions {
  readonly look: Look;
  /** Namespaces of process numbers of the runs that live now. */
  readonly contained: () => ReadonlySet<string>;
  readonly userOf: (uid: number) => string;
  readonly policyFor: (found: AgentProcess) => Uncontained;
  /** @returns whether it is gone */
  readonly end: (found: AgentProcess) => Promise<boolean>;
  readonly report: (event: UncontainedEvent) => void;
  /** Something that an inventory shows is not as before. */
  readonly onChange: () => void;
  readonly now: () => Date;
  readonly log: (message: string) => void;
}

export interface SeenAgent extends AgentProcess {
  readonly contained: boolean;
}

export interface Watch {
  /** One look, without what follows from it. */
  see(): Promise<void>;
  /** One look, and what follows from it. @returns whether there is something that the next one should see soon */
  tick(): Promise<boolean>;
  readonly running: () => readonly SeenAgent[];
  readonly sightings: Sightings;
}

const nameOf = ({ pid, startTime }: AgentProcess): string => `${pid}:${startTime}`;

const summary = (one: SeenAgent): string => `${nameOf(one)} ${one.contained}`;

/** An agent's own helpers are part of it: of a tree of one agent's processes, the topmost. Pure. */
export const topmost = <P extends Pick<AgentProcess, 'pid' | 'parent' | 'agent'>>(all: readonly P[]): P[] => {
  const byPid = new Map(all.map((one) => [one.pid, one]));
  return all.filter(({ agent, parent }) => byPid.get(parent)?.agent !== agent);
};

export const createWatch = ({
  look,
  contained,
  userOf,
  policyFor,
  end,
  report,
  onChange,
  now,
  log,
}: WatchOptions): Watch & { start(signal: AbortSignal): void } => {
  const sightings = createSightings();
  /** Outside at the last look, and whether that is told already. */
  let outside = new Map<string, 'new' | 'told'>();
  let running: readonly SeenAgent[] = [];
  const ending = new Set<string>();

  const tell = (): void => {
    for (const event of sightings.due(now())) report(event);
  };
  const stop = async (found: AgentProcess): Promise<void> => {
    const name = nameOf(found);
    if (ending.has(name)) return;
    ending.add(name);
    const user = userOf(found.uid);
    const gone = await end(found);
    sightings.add(found, user, gone ? 'stopped' : 'failed', now());
    log(`${found.agent} ran outside containment as ${user}, ${found.file}: ${gone ? 'it was stopped' : 'it could not be stopped'}`);
    // What could not be stopped is not tried again and again.
    if (gone) ending.delete(name);
    tell();
    onChange();
  };
  const see = async (): Promise<void> => {
    const all = await look();
    // Asked after the look: a run that began meanwhile is among them.
    const namespaces = contained();
    const before = running.map(summary).join();
    running = all.map((one) => ({ ...one, contained: namespaces.has(one.namespace) }));
    if (before !== running.map(summary).join()) onChange();
  };
  const tick = async (): Promise<boolean> => {
    await see();
    const found = topmost(running.filter((one) => !one.contained && !MODEL_RUNTIMES.has(one.agent)));
    const next = new Map<string, 'new' | 'told'>();
    for (const one of found) {
      const name = nameOf(one);
      const state = outside.get(name);
      next.set(name, state === undefined ? 'new' : 'told');
      if (state === undefined) continue; // a run that is being made is outside for a moment
      if (policyFor(one) === 'stop') void stop(one);
      else if (state === 'new') {
        sightings.add(one, userOf(one.uid), 'reported', now());
        log(`${one.agent} runs outside containment as ${userOf(one.uid)}: ${one.file}`);
      }
    }
    outside = next;
    sightings.stillThere(new Set(found.map((one) => keyOf(one.agent, userOf(one.uid), one.file))), now());
    tell();
    return [...next.values()].includes('new');
  };
  return {
    see,
    tick,
    running: () => running,
    sightings,
    start: (signal) => {
      let timer: NodeJS.Timeout | undefined;
      const again = (ms: number): void => {
        if (signal.aborted) return;
        timer = setTimeout(() => {
          tick().then(
            (soon) => again(soon ? AGAIN_MS : LOOK_MS),
            (error: unknown) => {
              log(`running agents could not be looked for: ${String(error)}`);
              again(LOOK_MS);
            },
          );
        }, ms);
        timer.unref();
      };
      signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
      again(LOOK_MS);
    },
  };
};
