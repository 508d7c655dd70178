/** A law of `verifyState`: no change of what a device received passes. */
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { CordonError } from '../errors.ts';
import { MAX_FRAME_DOWN, MembershipFrame, StateFrame } from '../protocol/channel.ts';
import { mutated, mutations, type Mutation } from './_mutate.ts';
import { codeOf } from './_refusal.ts';
import { createWorld, FLEET, stateFor } from './_world.ts';
import { canonicalJson } from './canonical-json.ts';
import { parseStrictJson } from './strict-json.ts';
import { verifyState, type StateInput } from './verify.ts';

const [State, Membership] = [Compile(StateFrame), Compile(MembershipFrame)];
const world = await createWorld('org_a');
const honest = await stateFor(world, FLEET, 0);

/** As a device does: the frames' schemas, then the one function. */
const receive = (input: StateInput): Promise<string> => {
  if (!State.Check(input.frame) || !Membership.Check(input.membership)) return Promise.resolve('frame.schema');
  return codeOf(() => verifyState(input));
};
const isRefusal = (code: string): boolean => /^[a-z]+\.[a-z-]+$/.test(code);

type Path = readonly (string | number)[];
/** Every text or number in a value, with its place. */
const leaves = (value: unknown, path: Path = []): (readonly [Path, string | number])[] =>
  typeof value === 'string' || typeof value === 'number'
    ? [[path, value]]
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, member]) => leaves(member, [...path, name]))
      : [];
/** The value with one place changed. */
const changed = (value: unknown, [name, ...rest]: Path, put: unknown): unknown => {
  if (name === undefined) return put;
  if (Array.isArray(value)) return value.map((item: unknown, i) => (String(i) === name ? changed(item, rest, put) : item));
  return Object.fromEntries(
    Object.entries(value as object).map(([key, member]) => [key, key === name ? changed(member, rest, put) : member]),
  );
};
const { frame, membership, roots, floor, fingerprint } = honest;
const received = { frame, membership, roots, floor, fingerprint };
const texts = leaves(received).filter((leaf): leaf is readonly [Path, string] => typeof leaf[1] === 'string' && leaf[1] !== '');
const numbers = leaves(received).filter((leaf): leaf is readonly [Path, number] => typeof leaf[1] === 'number');

describe('no change of what was received passes', { timeout: LAW_TIMEOUT_MS }, () => {
  it('is accepted as it is', async () => {
    expect(await receive(honest)).toBe('accepted');
    expect(texts.length).toBeGreaterThan(15);
    expect(numbers).toHaveLength(4);
  });

  it('one character of one text changed in any bit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...texts),
        fc.nat(),
        fc.integer({ min: 0, max: 15 }),
        fc.boolean(),
        async ([path, text], at, bit, receipt) => {
          const i = at % text.length;
          const spoiled = text.slice(0, i) + String.fromCharCode(text.charCodeAt(i) ^ (1 << bit)) + text.slice(i + 1);
          const input = { ...honest, ...(changed(received, path, spoiled) as typeof received), receipt };
          expect(await receive(input)).toSatisfy(isRefusal);
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('one text cut, doubled, or given a character more', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...texts),
        fc.nat(),
        fc.constantFrom('cut', 'double', ' ', '=', '0', 'A', '\n', '\0'),
        async ([path, text], at, how) => {
          // Between the tokens of a root's or the floor's JSON, white space says nothing.
          fc.pre(!((path[0] === 'roots' || path[0] === 'floor') && /^\s$/.test(how)));
          const i = at % text.length;
          const spoiled = how === 'cut' ? text.slice(0, i) : how === 'double' ? text + text : text.slice(0, i) + how + text.slice(i);
          const input = { ...honest, ...(changed(received, path, spoiled) as typeof received) };
          expect(await receive(input)).toSatisfy(isRefusal);
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('one number changed to any other', async () => {
    const other = fc.oneof(fc.integer(), fc.maxSafeNat(), fc.double());
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...numbers), other, async ([path, number], put) => {
        fc.pre(put !== number);
        const input = { ...honest, ...(changed(received, path, put) as typeof received) };
        expect(await receive(input)).toSatisfy(isRefusal);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('one byte of a frame on the wire changed in any bit', async () => {
    const wires = { frame: Buffer.from(JSON.stringify(frame)), membership: Buffer.from(JSON.stringify(membership)) };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('frame' as const, 'membership' as const),
        fc.nat(),
        fc.integer({ min: 0, max: 7 }),
        async (which, at, bit) => {
          const bytes = Buffer.from(wires[which]);
          const i = at % bytes.length;
          bytes[i] = (bytes[i] ?? 0) ^ (1 << bit);
          const outcome = await codeOf(async () => {
            const value = parseStrictJson(bytes, { maxBytes: 2_000_000, maxDepth: 32 });
            const code = await receive({ ...honest, [which]: value });
            expect(code).toSatisfy(isRefusal);
          });
          expect(outcome).toMatch(/^(?:accepted|json\.refused)$/);
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('one text put where another belongs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...texts), fc.constantFrom(...texts), async ([path, text], [, foreign]) => {
        fc.pre(text !== foreign);
        const input = { ...honest, ...(changed(received, path, foreign) as typeof received) };
        expect(await receive(input)).toSatisfy(isRefusal);
      }),
      { numRuns: LAW_RUNS },
    );
  });
});

describe('mutated frames', { timeout: 60_000 + LAW_RUNS * 250 }, async () => {
  const PER_RUN = 50;
  /** What was truly sent to this device: now, and under the next serial, when its cohort had changed. Mutants take pieces of it, and of another cohort's. */
  const next = await stateFor(world, { ...FLEET, serial: 8, cohorts: FLEET.cohorts.map((entry) => ({ ...entry, serial: 8 })) }, 0);
  const lax = await stateFor(world, FLEET, 1);
  const both = ({ frame: state, membership: member }: StateInput): object => ({ frame: state, membership: member });
  const [mine, donors] = [both(honest), [both(next), both(lax)]];
  const sent = {
    frame: [honest, next].map((input) => canonicalJson(input.frame)),
    membership: [honest, next].map((input) => canonicalJson(input.membership)),
  };
  const places = leaves(mine).map(([path]) => path);
  const textAt = (value: unknown, path: Path): string =>
    String(path.reduce<unknown>((inside, name) => (inside as Record<string, unknown>)[name], value));
  /** One text or number of both frames, or all of their bytes. */
  const place = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...places) }, { weight: 1, arbitrary: fc.constant<Path>([]) });
  const mutant = fc.tuple(place, mutations, fc.constantFrom(...donors), fc.boolean());

  const mutate = (path: Path, changes: readonly Mutation[], donor: object): Buffer => {
    if (path.length === 0) return mutated(Buffer.from(JSON.stringify(mine)), changes, Buffer.from(JSON.stringify(donor)));
    const before = textAt(mine, path);
    const text = mutated(Buffer.from(before), changes, Buffer.from(textAt(donor, path))).toString();
    const isNumber = numbers.some(([where]) => where.join() === path.join());
    return Buffer.from(JSON.stringify(changed(mine, path, isNumber && text.trim() !== '' ? Number(text) : text)));
  };

  /** As a device does: strict JSON, the frames' schemas, the one function. */
  const judge = async ([path, changes, donor, receipt]: readonly [Path, readonly Mutation[], object, boolean]): Promise<void> => {
    const bytes = mutate(path, changes, donor);
    let came: Pick<StateInput, 'frame' | 'membership'> = honest;
    const code = await codeOf(async () => {
      came = parseStrictJson(bytes, { maxBytes: MAX_FRAME_DOWN, maxDepth: 17 }) as typeof came;
      const outcome = await receive({ ...honest, receipt, frame: came.frame, membership: came.membership });
      if (outcome !== 'accepted') throw new CordonError(outcome, 'refused');
    });
    if (code !== 'accepted') return expect(code).toSatisfy(isRefusal);
    // White space between the tokens says nothing: then both frames are what was sent.
    expect(sent.frame).toContain(canonicalJson(came.frame));
    expect(sent.membership).toContain(canonicalJson(came.membership));
  };

  it(`${PER_RUN} times as many as laws are tried: none is accepted, none does harm`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(mutant, { minLength: PER_RUN, maxLength: PER_RUN }), async (mutants) => {
        await Promise.all(mutants.map(judge));
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
