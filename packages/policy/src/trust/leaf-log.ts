/**
 * Changes of the two trees as the audit log keeps them: one entry a transition, in parts of bounded size, and only what changed. Played again from the first on
 * they give the roots of every checkpoint, so whoever has the log can tell whether what was signed is what was decided.
 */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { HexDigest } from '../protocol/enrollment.ts';
import { cohortLeafBytes, memberLeafBytes } from './checkpoint.ts';
import { MerkleTree } from './merkle.ts';

/** The action of these entries in the audit log. */
export const LEAVES_ACTION = 'state.leaves';

const closed = { additionalProperties: false } as const;
const Index = Type.Integer({ minimum: 0, maximum: 2_147_483_647 });
const Id = Type.String({ minLength: 1, maxLength: 64 });
/** What a part has at most; about 32 KiB each. */
const MOST = { cohorts: 250, devices: 1000, places: 4000 } as const;

/** Detail of one entry. */
export const LeafEntry = Type.Object(
  {
    serial: Index,
    part: Index,
    parts: Index,
    /** Place in the cohorts tree, id, serial of the last change, digest of the bundle. */
    cohorts: Type.Optional(Type.Array(Type.Tuple([Index, Id, Index, HexDigest]), { maxItems: MOST.cohorts })),
    /** Devices that got the next places of the members tree, vacant at first. */
    joined: Type.Optional(Type.Object({ from: Index, devices: Type.Array(Id, { maxItems: MOST.devices }) }, closed)),
    /** Place of a cohort, or -1 for none, and the places of the devices that came into it: `0-41,57`. */
    placed: Type.Optional(
      Type.Array(Type.Tuple([Type.Integer({ minimum: -1, maximum: 2_147_483_647 }), Type.String({ maxLength: 65_536 })]), {
        maxItems: MOST.places,
      }),
    ),
  },
  closed,
);
export type LeafEntry = Static<typeof LeafEntry>;
const validator = Compile(LeafEntry);

export interface LeafChanges {
  readonly serial: number;
  readonly cohorts: readonly { readonly index: number; readonly id: string; readonly serial: number; readonly digest: string }[];
  /** In the order of their places. */
  readonly joined: readonly { readonly index: number; readonly id: string }[];
  /** Place of the device, and of its cohort; undefined is none. */
  readonly placed: readonly { readonly index: number; readonly cohort: number | undefined }[];
}

/** @param places ascending */
const rangesOf = (places: readonly number[]): string => {
  const ranges: [from: number, to: number][] = [];
  for (const place of places) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === place - 1) last[1] = place;
    else ranges.push([place, place]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(',');
};

const placesIn = (ranges: string, most: number): number[] =>
  ranges.split(',').flatMap((range) => {
    const [, first = '', last = first] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(range) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === '' || to < from || to >= most) throw new CordonError('leaves.malformed', `${range.slice(0, 32)} is no range of places`);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

/** The entries of one transition; none when no leaf changes. */
export const leafEntries = ({ serial, cohorts, joined, placed }: LeafChanges): LeafEntry[] => {
  const byPlace = placed.toSorted((a, b) => a.index - b.index);
  const parts: Pick<LeafEntry, 'cohorts' | 'joined' | 'placed'>[] = [
    ...chunks(cohorts, MOST.cohorts).map((some) => ({
      cohorts: some.map((c): [number, string, number, string] => [c.index, c.id, c.serial, c.digest]),
    })),
    ...chunks(joined, MOST.devices).map((some) => ({ joined: { from: some[0]?.index ?? 0, devices: some.map(({ id }) => id) } })),
    ...chunks(byPlace, MOST.places).map((some) => ({
      placed: [...Map.groupBy(some, ({ cohort }) => cohort ?? -1)].map(([cohort, members]): [number, string] => [
        cohort,
        rangesOf(members.map(({ index }) => index)),
      ]),
    })),
  ];
  // What is small goes together: an enrollment is one entry.
  const [first, ...rest] = parts;
  const isSmall = first !== undefined && cohorts.length <= 20 && joined.length <= 100 && placed.length <= 500;
  const told = isSmall ? [rest.reduce<typeof first>((all, part) => ({ ...all, ...part }), first)] : parts;
  return told.map((part, i) => ({ serial, part: i + 1, parts: told.length, ...part }));
};

interface Roots {
  readonly size: number;
  readonly root: string;
}

/** The two trees, as the log tells them. */
export class LeafReplay {
  readonly #org: string;
  readonly #members = new MerkleTree();
  readonly #cohorts = new MerkleTree();
  readonly #devices: string[] = [];
  readonly #ids: string[] = [];
  /** Parts of the transition that are still to come. */
  #open = 0;

  constructor(org: string) {
    this.#org = org;
  }

  /** Whether some parts of a transition have come and others not: then the roots are of nothing. */
  get isOpen(): boolean {
    return this.#open > 0;
  }

  /** @throws CordonError `leaves.malformed` */
  apply(detail: unknown): void {
    const refuse = (why: string): never => {
      throw new CordonError('leaves.malformed', why);
    };
    if (!validator.Check(detail)) return refuse('not an entry about leaves');
    const { part, parts, cohorts = [], joined, placed = [] } = detail;
    if (part !== (this.#open === 0 ? 1 : parts - this.#open + 1) || part > parts) refuse(`part ${part} of ${parts} is out of order`);
    this.#open = parts - part;
    for (const [index, id, serial, digest] of cohorts) {
      if (index > this.#ids.length || (index < this.#ids.length && this.#ids[index] !== id))
        refuse(`cohort ${id} has the place of another`);
      this.#ids[index] = id;
      this.#cohorts.set(index, cohortLeafBytes({ org: this.#org, index, cohort: id, serial, digest }));
    }
    if (joined !== undefined && joined.from !== this.#devices.length)
      refuse(`devices join at ${joined.from}, not at ${this.#devices.length}`);
    for (const device of joined?.devices ?? []) {
      this.#place(this.#devices.length, undefined);
      this.#devices.push(device);
    }
    for (const [cohort, ranges] of placed) {
      if (cohort >= this.#ids.length) refuse(`there is no cohort ${cohort}`);
      for (const index of placesIn(ranges, this.#devices.length)) this.#place(index, cohort < 0 ? undefined : cohort);
    }
  }

  roots(): { readonly members: Roots; readonly cohorts: Roots } {
    return {
      members: { size: this.#members.size, root: this.#members.root() },
      cohorts: { size: this.#cohorts.size, root: this.#cohorts.root() },
    };
  }

  #place(index: number, cohort: number | undefined): void {
    const [org, device, id] = [this.#org, this.#devices[index], cohort === undefined ? undefined : this.#ids[cohort]];
    this.#members.set(
      index,
      memberLeafBytes(
        cohort === undefined || device === undefined || id === undefined
          ? { org, index, device: '', cohort: '', cohortIndex: 0 }
          : { org, index, device, cohort: id, cohortIndex: cohort },
      ),
    );
  }
}
