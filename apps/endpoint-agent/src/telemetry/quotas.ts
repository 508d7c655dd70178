/**
 * Quotas of what a run itself can cause events of: what it reaches for. So no run fills the spool, or a class of it, with noise that pushes out the evidence. A flood
 * is an event at its first, and then one a while with the exact count. What the daemon tells of itself, and that runs start and end, has no quota.
 */
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import { createBucket, type Rate } from '../bucket.ts';

/** By class, for a run together with all runs inside it; refused launches by account, since they have no run. */
const RATES = {
  egress: { burst: 500, perMinute: 120 },
  file: { burst: 200, perMinute: 30 },
  audit: { burst: 300, perMinute: 60 },
  launch: { burst: 100, perMinute: 20 },
} as const satisfies Readonly<Record<string, Rate>>;
type Class = keyof typeof RATES;

/** Between the events that tell of one flood. */
const TELL_MS = 600_000;
/** Runs and accounts at a time; more than may live at once. */
const MOST_KEPT = 4096;

const classOf = ({ kind }: NewEvent): Class | undefined =>
  kind === 'launch.refused' ? 'launch' : kind === 'egress' || kind === 'file' || kind === 'audit' ? kind : undefined;

interface Kept {
  readonly may: () => boolean;
  readonly who: { readonly run: string; readonly agent: string; readonly osUser: string };
  readonly class: Class;
  suppressed: number;
  toldAt: number;
}

export interface Quotas {
  report(event: NewEvent): void;
  /** Tells of floods that go on. */
  tend(): void;
}

export interface QuotaOptions {
  readonly append: (event: NewEvent) => void;
  /** @returns the run that this one is a part of, and that nobody inside started; itself where it is that, or has ended */
  readonly topOf: (run: string) => string;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
  readonly rates?: Partial<Readonly<Record<Class, Rate>>>;
}

export const createQuotas = ({ append, topOf, clock, rates }: QuotaOptions): Quotas => {
  const kept = new Map<string, Kept>();
  const tell = (one: Kept): void => {
    if (one.suppressed === 0) return;
    const count = one.suppressed;
    one.suppressed = 0;
    one.toldAt = clock();
    append({ kind: 'flood', ...one.who, class: one.class, count });
  };
  const forget = (key: string, one: Kept): void => {
    tell(one);
    kept.delete(key);
  };
  /** The oldest goes when there are too many; its count is told first. */
  const makeRoom = (): void => {
    const [oldest] = kept;
    if (kept.size >= MOST_KEPT && oldest !== undefined) forget(...oldest);
  };
  return {
    report: (event) => {
      const of = classOf(event);
      if (of !== undefined && 'run' in event) {
        const { run, agent, osUser } = event;
        const key = `${of} ${of === 'launch' ? osUser : topOf(run)}`;
        let one = kept.get(key);
        if (one === undefined) {
          makeRoom();
          one = {
            may: createBucket(rates?.[of] ?? RATES[of], clock),
            who: { run, agent, osUser },
            class: of,
            suppressed: 0,
            toldAt: -Infinity,
          };
          kept.set(key, one);
        }
        if (!one.may()) {
          one.suppressed += 1;
          if (clock() - one.toldAt >= TELL_MS) tell(one);
          return;
        }
      }
      if (event.kind === 'run.ended')
        for (const name of Object.keys(RATES)) {
          const one = kept.get(`${name} ${event.run}`);
          if (one !== undefined) forget(`${name} ${event.run}`, one);
        }
      append(event);
    },
    tend: () => {
      for (const one of kept.values()) if (clock() - one.toldAt >= TELL_MS) tell(one);
    },
  };
};
