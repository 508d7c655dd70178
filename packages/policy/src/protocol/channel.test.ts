import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { DOWN, EVENTS, UP } from './_samples.ts';
import { CLOSE, DownFrame, UpFrame } from './channel.ts';
import { FIRST_BATCH } from './batch.ts';

const [Down, Up] = [Compile(DownFrame), Compile(UpFrame)];
const hex = 'a'.repeat(64);

/** Every object inside a value, with a way to put another in its place. */
const objects = (
  value: unknown,
  put: (other: unknown) => unknown = (other) => other,
): { readonly object: object; readonly put: (other: object) => unknown }[] =>
  Array.isArray(value)
    ? value.flatMap((item: unknown, i) => objects(item, (other) => put(value.toSpliced(i, 1, other))))
    : typeof value === 'object' && value !== null
      ? [
          { object: value, put },
          ...Object.entries(value).flatMap(([name, member]) => objects(member, (other) => put({ ...value, [name]: other }))),
        ]
      : [];

describe.each([
  ['from the server', Down, Up, DOWN],
  ['from a device', Up, Down, UP],
] as const)('frames %s', (_direction, own, other, samples) => {
  it.each(Object.entries(samples))('%s is accepted, in this direction only', (_type, frame) => {
    expect([own.Check(frame), other.Check(frame)]).toEqual([true, false]);
  });

  it.each(Object.entries(samples))('%s with an unknown member anywhere is refused', (_type, frame) => {
    const places = objects(frame);
    expect(places.length).toBeGreaterThan(0);
    for (const { object, put } of places) expect(own.Check(put({ ...object, zzz: 1 }))).toBe(false);
  });

  it.each(Object.entries(samples))('%s under another type is refused', (type, frame) => {
    for (const wrong of [...Object.keys(DOWN), ...Object.keys(UP), '', 'STATE'].filter((t) => t !== type))
      expect(own.Check({ ...frame, type: wrong })).toBe(false);
  });
});

describe('identity', () => {
  it('is the session’s: no frame from a device has a field to say who it is', () => {
    for (const frame of Object.values(UP))
      for (const name of ['device', 'org', 'session', 'jkt', 'kid']) expect(Up.Check({ ...frame, [name]: 'x' })).toBe(false);
  });
});

describe('limits of frames', () => {
  const events = (count: number): object => ({ ...UP.telemetry, events: Array.from({ length: count }, () => EVENTS.dropped) });
  it.each<readonly [what: string, frame: object, accepted: boolean]>([
    ['500 events', events(500), true],
    ['501 events', events(501), false],
    ['no events', events(0), false],
    [
      '32 checks',
      { ...UP.selftest, result: { ...UP.selftest.result, checks: Array.from({ length: 32 }, () => UP.selftest.result.checks[0]) } },
      true,
    ],
    [
      '33 checks',
      { ...UP.selftest, result: { ...UP.selftest.result, checks: Array.from({ length: 33 }, () => UP.selftest.result.checks[0]) } },
      false,
    ],
    ['the first batch', { ...UP.telemetry, prev: FIRST_BATCH }, true],
    ['a hash in capitals', { ...UP.telemetry, prev: hex.toUpperCase() }, false],
    ['a hash with an end of line', { ...UP.telemetry, hash: `${hex}\n` }, false],
    ['no boot', { ...UP.telemetry, boot: '' }, false],
    ['a boot that would end a line of COPY', { ...UP.telemetry, boot: 'a\tb' }, false],
    ['a boot that would leave its folder', { ...UP.telemetry, boot: '../x' }, false],
    ['a broken number', { ...UP.telemetry, seqFrom: 0.5 }, false],
    ['a number that cannot be counted', { ...UP.telemetry, seqTo: 2 ** 53 }, false],
    ['a negative number', { ...UP.ack, serial: -1 }, false],
    ['a number as text', { ...UP.ack, serial: '1' }, false],
    ['an acknowledgement of neither kind', { ...UP.ack, phase: 'received' }, false],
    ['an acknowledgement without a code', { ...UP.ack, code: undefined }, true],
    ['a code of 65 characters', { ...UP.ack, code: 'x'.repeat(65) }, false],
  ])('%s', (_what, frame, accepted) => {
    const sent: unknown = JSON.parse(JSON.stringify(frame));
    expect(Up.Check(sent)).toBe(accepted);
  });

  it.each<readonly [what: string, frame: object, accepted: boolean]>([
    [
      'a proof of 64 levels',
      { ...DOWN.membership, member: { ...DOWN.membership.member, proof: Array.from({ length: 64 }, () => hex) } },
      true,
    ],
    [
      'a proof of 65 levels',
      { ...DOWN.membership, member: { ...DOWN.membership.member, proof: Array.from({ length: 65 }, () => hex) } },
      false,
    ],
    ['a sibling in capitals', { ...DOWN.membership, member: { ...DOWN.membership.member, proof: [hex.toUpperCase()] } }, false],
    ['a checkpoint of 8192 characters', { ...DOWN.state, checkpoint: 'x'.repeat(8192) }, true],
    ['a longer checkpoint', { ...DOWN.state, checkpoint: 'x'.repeat(8193) }, false],
    ['a longer manifest', { ...DOWN.state, manifest: 'x'.repeat(65_537) }, false],
    ['a bundle as an object', { ...DOWN.state, bundle: {} }, false],
    ['no bundle at all', { ...DOWN.state, bundle: undefined }, false],
    ['a heartbeat of a second', { ...DOWN.welcome, heartbeatSeconds: 1 }, true],
    ['a heartbeat that never comes', { ...DOWN.welcome, heartbeatSeconds: 1e9 }, false],
    ['a heartbeat without a pause', { ...DOWN.welcome, heartbeatSeconds: 0 }, false],
  ])('%s', (_what, frame, accepted) => {
    const sent: unknown = JSON.parse(JSON.stringify(frame));
    expect(Down.Check(sent)).toBe(accepted);
  });

  it('close codes are private ones, or the one that says the service restarts, and each says one thing', () => {
    const codes = Object.values(CLOSE);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code === 1012 || (code >= 4000 && code <= 4999)).toBe(true);
  });
});
