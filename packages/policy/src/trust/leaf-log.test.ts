import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { codeOf } from './_refusal.ts';
import { cohortLeafBytes, memberLeafBytes } from './checkpoint.ts';
import { sha256Hex } from './digest.ts';
import { leafEntries, LeafReplay, type LeafChanges } from './leaf-log.ts';
import { MerkleTree } from './merkle.ts';

const ORG = 'org_a';

/** The trees as a control plane has them, and what each transition changes. */
class World {
  readonly cohorts: { id: string; serial: number; digest: string }[] = [];
  readonly devices: { id: string; cohort: number | undefined }[] = [];
  serial = 0;

  change(joins: number, moves: readonly (readonly [device: number, cohort: number])[], publishes: readonly number[]): LeafChanges {
    this.serial += 1;
    const cohorts = new Set<number>();
    for (const publish of publishes) {
      const index = publish % (this.cohorts.length + 1);
      this.cohorts[index] = {
        id: this.cohorts[index]?.id ?? `coh_${index}`,
        serial: this.serial,
        digest: sha256Hex(`${this.serial} ${index}`),
      };
      cohorts.add(index);
    }
    const from = this.devices.length;
    for (let i = 0; i < joins; i += 1) this.devices.push({ id: `dev_${from + i}`, cohort: undefined });
    const placed = new Map<number, number | undefined>();
    for (const [device, cohort] of this.devices.length === 0 ? [] : moves) {
      const index = device % this.devices.length;
      const place = cohort % (this.cohorts.length + 1);
      const home = place === this.cohorts.length ? undefined : place;
      this.devices[index] = { id: `dev_${index}`, cohort: home };
      placed.set(index, home);
    }
    return {
      serial: this.serial,
      cohorts: [...cohorts]
        .sort((a, b) => a - b)
        .map((index) => ({ index, ...(this.cohorts[index] ?? { id: '', serial: 0, digest: '' }) })),
      joined: this.devices.slice(from).map(({ id }, i) => ({ index: from + i, id })),
      placed: [...placed].map(([index, cohort]) => ({ index, cohort })),
    };
  }

  roots(): ReturnType<LeafReplay['roots']> {
    const [members, cohorts] = [new MerkleTree(), new MerkleTree()];
    this.cohorts.forEach(({ id, serial, digest }, index) =>
      cohorts.set(index, cohortLeafBytes({ org: ORG, index, cohort: id, serial, digest })),
    );
    this.devices.forEach(({ id, cohort }, index) =>
      members.set(
        index,
        memberLeafBytes(
          cohort === undefined
            ? { org: ORG, index, device: '', cohort: '', cohortIndex: 0 }
            : { org: ORG, index, device: id, cohort: this.cohorts[cohort]?.id ?? '', cohortIndex: cohort },
        ),
      ),
    );
    return { members: { size: members.size, root: members.root() }, cohorts: { size: cohorts.size, root: cohorts.root() } };
  }
}

/** As the audit log keeps it. */
const kept = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

describe('changes of leaves in the audit log', { timeout: LAW_TIMEOUT_MS }, () => {
  it('played again give the roots of every checkpoint, whatever was published, joined, moved and revoked', () => {
    const moves = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 20 });
    const step = fc.tuple(fc.integer({ min: 0, max: 8 }), moves, fc.array(fc.nat(), { maxLength: 4 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const [world, replay] = [new World(), new LeafReplay(ORG)];
        for (const [joins, moved, publishes] of steps) {
          for (const entry of leafEntries(world.change(joins, moved, publishes))) replay.apply(kept(entry));
          expect(replay.isOpen).toBe(false);
          expect(replay.roots()).toEqual(world.roots());
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('of ten thousand devices are several parts of bounded size, and each transition lists only what it changes', () => {
    const [world, replay] = [new World(), new LeafReplay(ORG)];
    const all = Array.from({ length: 10_000 }, (_, i) => [i, (i * 7919) % 500] as const);
    const founding = leafEntries(
      world.change(
        10_000,
        all,
        Array.from({ length: 500 }, (_, i) => i),
      ),
    );
    expect(founding.length).toBeGreaterThan(10);
    const sizes = founding.map((entry) => JSON.stringify(entry).length);
    expect(Math.max(...sizes)).toBeLessThan(64 * 1024);
    expect(founding.map(({ part, parts }) => [part, parts])).toEqual(founding.map((_, i) => [i + 1, founding.length]));
    for (const entry of founding) replay.apply(kept(entry));
    // A publish that changes one cohort says nothing of its devices.
    const publish = leafEntries(world.change(0, [], [7]));
    expect(publish.map((entry) => JSON.stringify(entry).length)).toEqual([JSON.stringify(publish[0]).length]);
    expect(JSON.stringify(publish).length).toBeLessThan(200);
    for (const entry of publish) replay.apply(kept(entry));
    // All of them in one place are one range.
    const together = leafEntries(
      world.change(
        0,
        all.map(([i]) => [i, 3] as const),
        [],
      ),
    );
    expect(JSON.stringify(together).length).toBeLessThan(4000);
    for (const entry of together) replay.apply(kept(entry));
    expect(replay.roots()).toEqual(world.roots());
  });

  it('are one entry when they are few, and none when nothing changes', () => {
    const world = new World();
    expect(leafEntries(world.change(3, [[0, 0]], [0]))).toMatchObject([{ part: 1, parts: 1, joined: { from: 0 }, placed: [[0, '0']] }]);
    expect(leafEntries(world.change(0, [], []))).toEqual([]);
  });

  it.each<readonly [string, unknown]>([
    ['no entry', {}],
    ['more than it should have', { serial: 1, part: 1, parts: 1, more: true }],
    ['the second part first', { serial: 1, part: 2, parts: 2 }],
    ['a part beyond the last', { serial: 1, part: 1, parts: 0 }],
    ['a cohort beyond the next place', { serial: 1, part: 1, parts: 1, cohorts: [[2, 'coh_2', 1, sha256Hex('x')]] }],
    ['another cohort in its place', { serial: 1, part: 1, parts: 1, cohorts: [[0, 'coh_9', 1, sha256Hex('x')]] }],
    ['devices that join elsewhere', { serial: 1, part: 1, parts: 1, joined: { from: 9, devices: ['dev_9'] } }],
    ['a device that never joined', { serial: 1, part: 1, parts: 1, placed: [[0, '3']] }],
    ['a cohort that there is not', { serial: 1, part: 1, parts: 1, placed: [[1, '0']] }],
    ['a range that is none', { serial: 1, part: 1, parts: 1, placed: [[0, '2-1']] }],
    ['words for a range', { serial: 1, part: 1, parts: 1, placed: [[0, '0,x']] }],
    ['an empty range', { serial: 1, part: 1, parts: 1, placed: [[0, '']] }],
  ])('are refused with %s', async (_name, entry) => {
    const [world, replay] = [new World(), new LeafReplay(ORG)];
    for (const good of leafEntries(world.change(3, [], [0]))) replay.apply(good);
    expect(await codeOf(() => replay.apply(entry))).toBe('leaves.malformed');
  });

  it('are of nothing while a part is missing', async () => {
    const replay = new LeafReplay(ORG);
    replay.apply({ serial: 1, part: 1, parts: 3 });
    expect(replay.isOpen).toBe(true);
    expect(await codeOf(() => replay.apply({ serial: 1, part: 3, parts: 3 }))).toBe('leaves.malformed');
    replay.apply({ serial: 1, part: 2, parts: 3 });
    replay.apply({ serial: 1, part: 3, parts: 3 });
    expect(replay.isOpen).toBe(false);
  });
});
