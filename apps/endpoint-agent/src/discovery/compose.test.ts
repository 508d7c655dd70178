import fc from 'fast-check';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { MAX_FRAME_UP } from '@cordon/policy/protocol/channel.ts';
import { Inventory, type InstalledAgent, type McpServer } from '@cordon/policy/protocol/inventory.ts';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { composeInventory, inventoryFor, type Parts } from './compose.ts';

const Valid = Compile(Inventory);
const installed = (change: Partial<InstalledAgent> = {}): Omit<InstalledAgent, 'running'> => ({
  agent: 'codex',
  osUser: 'ada',
  source: 'package',
  place: '/home/ada/codex',
  version: '1.0.0',
  ...change,
});
const running = (change: Partial<Parts['running'][number]> = {}): Parts['running'][number] => ({
  pid: 7,
  startTime: '1',
  parent: 1,
  uid: 1000,
  namespace: 'pid:[1]',
  agent: 'codex',
  evidence: 'package',
  file: '/home/ada/codex/bin/codex.js',
  user: 'ada',
  contained: false,
  ...change,
});
const compose = (parts: Partial<Parts>): Inventory =>
  composeInventory({ installed: [], servers: [], running: [], sightings: [], ...parts });

describe('an inventory', () => {
  it.each<readonly [what: string, seen: Parts['running'], running: InstalledAgent['running']]>([
    ['nothing of it', [], 'no'],
    ['a contained one', [running({ contained: true })], 'contained'],
    ['one inside and one outside', [running({ contained: true }), running({ pid: 8 })], 'uncontained'],
    ["another account's", [running({ user: 'bob' })], 'no'],
    ['one of a place that merely begins like it', [running({ file: '/home/ada/codex-2/x' })], 'no'],
  ])('shows how an installed agent runs when there runs %s', (_what, seen, how) => {
    expect(compose({ installed: [installed()], running: seen }).agents.find(({ source }) => source === 'package')?.running).toBe(how);
  });

  it('has what runs without being installed anywhere that is known, once for each place', () => {
    const elsewhere = running({ file: '/tmp/copy', pid: 9 });
    expect(
      compose({ installed: [installed()], running: [elsewhere, { ...elsewhere, pid: 10 }] }).agents.map(({ place, source }) => [
        source,
        place,
      ]),
    ).toEqual([
      ['package', '/home/ada/codex'],
      ['process', '/tmp/copy'],
    ]);
  });

  it("shows an account its own and the machine's, and root everything", () => {
    const all = compose({ installed: [installed(), installed({ osUser: 'bob' }), installed({ osUser: '', place: '/usr/lib/codex' })] });
    expect(inventoryFor(all, 'ada').agents.map(({ osUser }) => osUser)).toEqual(['', 'ada']);
    expect(inventoryFor(all, undefined)).toEqual(all);
  });

  const text = (most: number) => fc.string({ unit: 'grapheme', maxLength: most }).map((long) => long.slice(0, most).toWellFormed());
  const many: fc.Arbitrary<Parts> = fc.record({
    installed: fc.array(
      fc.record({
        agent: fc.constantFrom('codex', 'goose'),
        osUser: text(64),
        source: fc.constant('package' as const),
        place: text(256),
        version: fc.constant('1.0'),
      }),
      { maxLength: 300, size: 'max' },
    ),
    servers: fc.array(
      fc.record<McpServer>({
        agent: fc.constant('codex'),
        osUser: text(64),
        name: text(64),
        scope: fc.constant('user'),
        transport: fc.constant('program'),
        program: text(64),
        file: fc.constant('${home}/x'),
      }),
      { maxLength: 400, size: 'max' },
    ),
    running: fc.array(
      text(300).map((file) => running({ file })),
      { maxLength: 20 },
    ),
    sightings: fc.constant([]),
  });

  it('is valid and fits in a frame whatever there is, says how much had no room, and is the same in whatever order it was found', () => {
    fc.assert(
      fc.property(many, (parts) => {
        const inventory = composeInventory(parts);
        expect(Valid.Check(inventory)).toBe(true);
        expect(Buffer.byteLength(JSON.stringify(inventory))).toBeLessThan(MAX_FRAME_UP - 1024);
        const kept = inventory.agents.length + inventory.servers.length;
        const there = new Set([...parts.servers, ...parts.installed].map((one) => JSON.stringify(one))).size;
        expect(kept + inventory.leftOut).toBeGreaterThanOrEqual(there);
        const turned = { ...parts, installed: [...parts.installed].reverse(), servers: [...parts.servers].reverse() };
        expect(composeInventory(turned)).toEqual(inventory);
      }),
      { numRuns: Math.min(LAW_RUNS, 200) },
    );
  });
});
