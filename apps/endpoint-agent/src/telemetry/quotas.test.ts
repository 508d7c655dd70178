import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { createQuotas } from './quotas.ts';

const who = (run: string) => ({ run, agent: 'codex', osUser: 'ada' });
const egress = (run: string): NewEvent => ({
  kind: 'egress',
  ...who(run),
  verdict: 'denied',
  host: 'a.example',
  port: 443,
  rule: 'default-deny',
  policy: '',
});
const ended = (run: string): NewEvent => ({ kind: 'run.ended', ...who(run), reason: 'exited', exitCode: 0, durationMs: 1 });
const refused = (run: string): NewEvent => ({ kind: 'launch.refused', ...who(run), code: 'launch.no-policy', program: 'sh' });
const RATES = { egress: { burst: 3, perMinute: 1 }, launch: { burst: 2, perMinute: 1 } };

const scene = (parents: Readonly<Record<string, string>> = {}) => {
  const events: NewEvent[] = [];
  let at = 0;
  const quotas = createQuotas({
    append: (event) => events.push(event),
    topOf: (run) => parents[run] ?? run,
    clock: () => at,
    rates: RATES,
  });
  return {
    ...quotas,
    events,
    kinds: () => events.map(({ kind }) => kind),
    floods: () => events.flatMap((event) => (event.kind === 'flood' ? [`${event.run} ${event.class} ${event.count}`] : [])),
    pass: (ms: number) => void (at += ms),
  };
};

describe('what a run causes', () => {
  it('is told one by one up to its quota, and after that as one flood', () => {
    const { report, kinds, floods } = scene();
    for (let i = 0; i < 50; i += 1) report(egress('run_1'));
    expect(kinds()).toEqual(['egress', 'egress', 'egress', 'flood']);
    report(ended('run_1'));
    expect(kinds().slice(4)).toEqual(['flood', 'run.ended']);
    expect(floods()).toEqual(['run_1 egress 1', 'run_1 egress 46']);
  });

  it('takes nothing from another run', () => {
    const { report, events } = scene();
    for (let i = 0; i < 50; i += 1) report(egress('run_1'));
    report(egress('run_2'));
    expect(events.at(-1)).toMatchObject({ kind: 'egress', run: 'run_2' });
  });

  it('counts together with what runs inside it cause', () => {
    const { report, kinds } = scene({ run_2: 'run_1', run_3: 'run_1' });
    for (const run of ['run_1', 'run_2', 'run_3', 'run_2', 'run_3']) report(egress(run));
    expect(kinds()).toEqual(['egress', 'egress', 'egress', 'flood']);
    report(ended('run_2'));
    report(egress('run_1'));
    expect(kinds().slice(4)).toEqual(['run.ended']);
  });

  it('comes again in time, and a flood that goes on is told again', () => {
    const { report, tend, pass, floods, kinds } = scene();
    for (let i = 0; i < 10; i += 1) report(egress('run_1'));
    pass(60_000);
    report(egress('run_1'));
    expect(kinds().at(-1)).toBe('egress');
    tend();
    expect(floods()).toEqual(['run_1 egress 1']);
    pass(540_000);
    tend();
    expect(floods()).toEqual(['run_1 egress 1', 'run_1 egress 6']);
    tend();
    expect(floods()).toHaveLength(2);
  });

  it('that is refused counts for its account, whatever the runs are called', () => {
    const { report, kinds } = scene();
    for (let i = 0; i < 20; i += 1) report(refused(`run_${i}`));
    expect(kinds()).toEqual(['launch.refused', 'launch.refused', 'flood']);
  });
});

describe('the counts', () => {
  it('leave nothing out, whatever comes when; starts and ends of runs and the daemon’s own words always pass', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ run: fc.constantFrom('run_1', 'run_2', 'run_3'), kind: fc.constantFrom('egress', 'refused', 'ended') }),
            fc.record({ pass: fc.integer({ min: 0, max: 400_000 }) }),
          ),
          { maxLength: 200 },
        ),
        (steps) => {
          const { report, tend, pass, events } = scene({ run_3: 'run_2' });
          const sent = { egress: 0, refused: 0, ended: 0 };
          for (const step of steps) {
            if ('pass' in step) {
              pass(step.pass);
              tend();
              continue;
            }
            sent[step.kind] += 1;
            report(step.kind === 'egress' ? egress(step.run) : step.kind === 'refused' ? refused(step.run) : ended(step.run));
          }
          pass(600_000);
          tend();
          const flooded = (name: string): number =>
            events.reduce((sum, event) => sum + (event.kind === 'flood' && event.class === name ? event.count : 0), 0);
          const told = (kind: NewEvent['kind']): number => events.filter((event) => event.kind === kind).length;
          expect(told('egress') + flooded('egress')).toBe(sent.egress);
          expect(told('launch.refused') + flooded('launch')).toBe(sent.refused);
          expect(told('run.ended')).toBe(sent.ended);
        },
      ),
      { numRuns: LAW_RUNS },
    ));
});
