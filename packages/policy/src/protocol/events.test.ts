import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { EVENTS } from './_samples.ts';
import { TelemetryEvent } from './events.ts';
import { Time } from './time.ts';

const Event = Compile(TelemetryEvent);
const Instant = Compile(Time);

describe('an event', () => {
  it.each(Object.entries(EVENTS))('%s is accepted, and refused with anything more or less', (_kind, event) => {
    expect(Event.Check(event)).toBe(true);
    for (const name of ['arguments', 'content', 'device', 'zzz']) expect(Event.Check({ ...event, [name]: 'x' })).toBe(false);
    const optional = new Set(['parent', 'code', 'after', 'epoch']);
    for (const name of Object.keys(event)) {
      const { [name]: _, ...rest } = event as Record<string, unknown>;
      expect([name, Event.Check(rest)]).toEqual([
        name,
        optional.has(name) && !(name === 'code' && ['launch.refused', 'run.finding', 'dropped', 'file', 'run.notice'].includes(event.kind)),
      ]);
    }
  });

  it('of one kind does not pass as another', () => {
    for (const event of Object.values(EVENTS))
      for (const kind of [...Object.keys(EVENTS), 'other', ''].filter((k) => k !== event.kind))
        expect(Event.Check({ ...event, kind })).toBe(false);
  });

  it.each<readonly [what: string, event: object]>([
    ['a host longer than a name can be', { ...EVENTS.egress, host: 'x'.repeat(254) }],
    ['a port beyond the last', { ...EVENTS.egress, port: 65_536 }],
    ['a broken port', { ...EVENTS.egress, port: 443.5 }],
    ['a third verdict', { ...EVENTS.egress, verdict: 'maybe' }],
    ['a program that is a command line', { ...EVENTS['run.started'], program: 'x'.repeat(129) }],
    ['33 controls', { ...EVENTS['run.started'], controls: Array.from({ length: 33 }, () => EVENTS['run.started'].controls[0]) }],
    ['an attestation that is not yes or no', { ...EVENTS['run.started'], attested: 1 }],
    ['a number before the first', { ...EVENTS.dropped, seq: -1 }],
    ['a number that cannot be counted', { ...EVENTS.dropped, seq: 2 ** 53 }],
    ['33 failed checks', { ...EVENTS.selftest, failed: Array.from({ length: 33 }, () => 'read') }],
    ['a result that is no digest', { ...EVENTS.selftest, result: 'f' }],
    ['nothing dropped', { ...EVENTS.dropped, count: 0 }],
    ['an exit code that no system has', { ...EVENTS['run.ended'], exitCode: 1e300 }],
    ['a run that ended before it began', { ...EVENTS['run.ended'], durationMs: -1 }],
    ['a month that is none', { ...EVENTS.dropped, at: '2026-13-01T00:00:00.000Z' }],
  ])('with %s is refused', (_what, event) => {
    expect(Event.Check(event)).toBe(false);
  });
});

describe('a time on the wire', () => {
  it.each(['2026-03-01T12:00:00.000Z', '2024-02-29T23:59:59.999Z', '1970-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'])(
    '%s is one',
    (text) => {
      expect(Instant.Check(text)).toBe(true);
      expect(new Date(text).toISOString()).toBe(text);
    },
  );

  it.each([
    '2026-00-01T00:00:00.000Z',
    '2026-13-01T00:00:00.000Z',
    '2026-01-00T00:00:00.000Z',
    '2026-01-32T00:00:00.000Z',
    '2026-04-31T00:00:00.000Z',
    '2026-02-30T00:00:00.000Z',
    '2026-01-01T24:00:00.000Z',
    '2026-01-01T00:60:00.000Z',
    '2026-12-31T23:59:60.000Z',
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.0000Z',
    '2026-01-01T00:00:00.000',
    '2026-01-01T00:00:00.000z',
    '2026-01-01t00:00:00.000Z',
    '2026-01-01T00:00:00.000+00:00',
    '2026-01-01 00:00:00.000Z',
    '2026-01-01',
    '+002026-01-01T00:00:00.000Z',
    ' 2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00.000Z\n',
    '٢٠٢٦-01-01T00:00:00.000Z',
    '',
    'now',
  ])('%j is none', (text) => {
    expect(Instant.Check(text)).toBe(false);
  });

  it('always is a number to compare with', () => {
    const two = (n: number): string => String(n).padStart(2, '0');
    for (let month = 0; month <= 13; month += 1)
      for (let day = 0; day <= 32; day += 1) {
        const text = `2025-${two(month)}-${two(day)}T00:00:00.000Z`;
        if (Instant.Check(text)) expect(Number.isFinite(Date.parse(text))).toBe(true);
      }
  });
});
