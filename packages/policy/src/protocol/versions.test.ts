/** Either side may be older or newer than the other: what a device and a server of the first version really said, and what a newer server might say. */
import { describe, expect, it } from 'vitest';
import { Compile } from 'typebox/compile';
import { DOWN, EVENTS, UP } from './_samples.ts';
import recorded from './_recorded-1.json' with { type: 'json' };
import { DownFrame, UpFrame } from './channel.ts';
import { PackedState, unpackState } from './packed.ts';
import { frameSince } from './since.ts';
import { readDown } from './tolerant.ts';
import { agreed, OLDEST_PROTOCOL, PROTOCOL, SPOKEN } from './version.ts';

const [Down, Up, Packed] = [Compile(DownFrame), Compile(UpFrame), Compile(PackedState)];
const parsed = (texts: readonly string[]): unknown[] => texts.map((text) => JSON.parse(text) as unknown);
/** A sample, as it would come. */
const said = (sample: object): UpFrame => {
  const frame: unknown = JSON.parse(JSON.stringify(sample));
  if (!Up.Check(frame)) throw new Error(`no frame: ${JSON.stringify(frame)}`);
  return frame;
};
const batchOf = (...events: readonly object[]): UpFrame => said({ ...UP.telemetry, events });
const typeOf = (frame: unknown): string => (frame as { type: string }).type;

describe('what was recorded between a device and a control plane of the first version', () => {
  it('holds every kind that a daemon says by itself', () => {
    expect(new Set(parsed(recorded.up).map(typeOf))).toEqual(new Set(['hello', 'ack', 'selftest', 'telemetry']));
    expect(new Set(parsed(recorded.down).map(typeOf))).toEqual(new Set(['state.packed', 'membership', 'telemetry.ack']));
  });

  it.each(parsed(recorded.up).map((frame) => [typeOf(frame), frame] as const))('%s of an older device is understood', (_type, frame) => {
    expect(Up.Check(frame)).toBe(true);
  });

  it.each(parsed(recorded.down).map((frame) => [typeOf(frame), frame] as const))(
    '%s of an older control plane is understood',
    (_type, frame) => {
      const read = Packed.Check(frame) ? unpackState(frame, 'org_a') : readDown(frame);
      expect(Down.Check(read)).toBe(true);
    },
  );

  it('has no frame and no event of a kind that counts as newer', () => {
    const kinds = new Set(
      parsed(recorded.up).flatMap((frame) =>
        ('events' in (frame as object) ? (frame as { events: { kind: string }[] }).events : []).map(({ kind }) => kind),
      ),
    );
    for (const frame of parsed(recorded.up)) expect([typeOf(frame), frameSince(said(frame as object))]).toEqual([typeOf(frame), 1]);
    for (const event of Object.values(EVENTS))
      if (kinds.has(event.kind)) expect([event.kind, frameSince(batchOf(event))]).toEqual([event.kind, 1]);
  });
});

describe('what a version knows', () => {
  it('is at least one kind more than the version before', () => {
    const kinds = [...Object.values(UP).map(said), ...Object.values(EVENTS).map((event) => batchOf(event))];
    const since = kinds.map(frameSince);
    for (let version = 1; version <= PROTOCOL; version += 1) expect(since).toContain(version);
    expect(Math.max(...since)).toBe(PROTOCOL);
  });

  it('is judged by the newest event of a batch', () => {
    const kinds = Object.values(EVENTS);
    const oldest = kinds.find((event) => frameSince(batchOf(event)) === 1);
    const newest = kinds.find((event) => frameSince(batchOf(event)) === PROTOCOL);
    if (oldest === undefined || newest === undefined) throw new Error('no events');
    expect(frameSince(batchOf(oldest, newest, oldest))).toBe(PROTOCOL);
  });
});

describe('the version that both speak', () => {
  it.each<readonly [what: string, header: string | undefined, version: number | undefined]>([
    ['of this version', SPOKEN, PROTOCOL],
    ['of the first, which says nothing', undefined, 1],
    ['of one newer', `${OLDEST_PROTOCOL}-${PROTOCOL + 1}`, PROTOCOL],
    ['of two newer', `${PROTOCOL}-${PROTOCOL + 2}`, PROTOCOL],
    ['of three newer', `${PROTOCOL + 1}-${PROTOCOL + 3}`, undefined],
    ['of a range that is none', `${PROTOCOL}`, undefined],
    ['that says nonsense', 'newest', undefined],
  ])('with a control plane %s', (_what, header, version) => {
    expect(agreed(header)).toBe(version);
  });
});

describe('frames of a newer control plane', () => {
  const objects = (value: unknown): object[] =>
    typeof value !== 'object' || value === null ? [] : [value, ...Object.values(value).flatMap((member) => objects(member))];
  const withMore = (frame: object): unknown => {
    const copy = structuredClone(frame);
    for (const place of objects(copy)) if (!Array.isArray(place)) Object.assign(place, { added: { by: ['a newer version'] } });
    return copy;
  };

  it.each(Object.entries(DOWN))('%s is understood without members that are new', (_type, frame) => {
    expect(Down.Check(withMore(frame))).toBe(false);
    expect(readDown(withMore(frame))).toEqual(frame);
    expect(readDown(frame)).toEqual(frame);
  });

  it.each(Object.entries(DOWN))('%s without one of its own members is none, whatever else it has', (_type, frame) => {
    for (const name of Object.keys(frame)) {
      const { [name]: _, ...without } = frame as Record<string, unknown>;
      expect([name, readDown(withMore(without))]).toEqual([name, Down.Check(without) ? without : undefined]);
    }
  });

  it('of a new kind are passed over, and what is no frame is none', () => {
    expect(readDown({ type: 'advice', text: 'x' })).toBe('unknown');
    for (const value of [{ type: 'Advice!' }, { type: '' }, { type: 5 }, {}, [], null, 'state', { text: 'x' }])
      expect(readDown(value)).toBeUndefined();
  });

  it('cannot put anything in the place of what is known', () => {
    expect(readDown({ ...DOWN.problem, code: 7, added: 1 })).toBeUndefined();
    expect(readDown(JSON.parse('{"type":"problem","code":"a","detail":"b","__proto__":{"code":"c"},"constructor":1}'))).toEqual({
      type: 'problem',
      code: 'a',
      detail: 'b',
    });
  });
});
