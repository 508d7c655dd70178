/** What was seen outside containment, and what of it is told: each program of an account once a minute at most, with how many there were. Pure: time is an argument. */
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import { MAX_PLACE, MAX_SIGHTINGS, type Sighting } from '@cordon/policy/protocol/inventory.ts';
import type { AgentProcess } from './processes.ts';

/** Of one program and account, events come no faster. */
export const QUIET_MS = 60_000;

export type UncontainedEvent = Extract<NewEvent, { kind: 'agent.uncontained' }>;

interface Kept {
  sighting: Sighting;
  /** Not told yet. */
  untold: number;
  toldAt: number;
}

export interface Sightings {
  /** One more was found, and this was done about it. */
  add(seen: Pick<AgentProcess, 'agent' | 'evidence' | 'file'>, user: string, action: Sighting['action'], now: Date): void;
  /** Programs of which one runs, by `keyOf`. */
  stillThere(keys: ReadonlySet<string>, now: Date): void;
  /** Events that are due. */
  due(now: Date): UncontainedEvent[];
  all(): readonly Sighting[];
}

export const keyOf = (agent: string, user: string, file: string): string => `${agent}\0${user}\0${file}`;

const NEVER = Number.NEGATIVE_INFINITY;

export const createSightings = (): Sightings => {
  const kept = new Map<string, Kept>();
  /** Programs are anybody's to name: when there are too many, those that come now are told together, as one without a place. */
  const roomFor = (key: string, together: string): string => {
    if (kept.has(key) || kept.size < MAX_SIGHTINGS - 1) return key;
    const done = [...kept].find(([, { untold, sighting }]) => untold === 0 && !sighting.running)?.[0];
    if (done === undefined) return together;
    kept.delete(done);
    return key;
  };
  return {
    add: ({ agent, evidence, file }, user, action, now) => {
      const key = roomFor(keyOf(agent, user, file), keyOf(agent, user, ''));
      const at = now.toISOString();
      const before = kept.get(key);
      const sighting: Sighting = {
        agent,
        osUser: user.slice(0, 64),
        evidence,
        program: key.endsWith('\0') ? '' : file.slice(0, MAX_PLACE).toWellFormed(),
        action,
        firstAt: before?.sighting.firstAt ?? at,
        lastAt: at,
        times: Math.min((before?.sighting.times ?? 0) + 1, 1_000_000_000),
        running: action !== 'stopped',
      };
      kept.delete(key); // so that the newest stands last
      // Another action is told at once.
      const toldAt = before?.sighting.action === action ? before.toldAt : NEVER;
      kept.set(key, { sighting, untold: (before?.untold ?? 0) + 1, toldAt });
    },
    stillThere: (keys, now) => {
      for (const [key, one] of kept) {
        const running = keys.has(key);
        if (running || one.sighting.running) one.sighting = { ...one.sighting, running, ...(running && { lastAt: now.toISOString() }) };
      }
    },
    due: (now) => {
      const events: UncontainedEvent[] = [];
      for (const one of kept.values()) {
        if (one.untold === 0 || now.getTime() - one.toldAt < QUIET_MS) continue;
        const { agent, osUser, program, evidence, action } = one.sighting;
        events.push({ kind: 'agent.uncontained', agent, osUser, program, evidence, action, count: one.untold });
        one.untold = 0;
        one.toldAt = now.getTime();
      }
      return events;
    },
    all: () => [...kept.values()].map(({ sighting }) => sighting).slice(-MAX_SIGHTINGS),
  };
};
