import { expect, it } from 'vitest';
import { durationMs, memoryBytes } from './units.ts';

it.each([
  ['0s', 0],
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['8h', 28_800_000],
  ['2d', 172_800_000],
])('%s is %d milliseconds', (text, ms) => expect(durationMs(text)).toBe(ms));
it.each([
  ['512MiB', 536_870_912],
  ['4GiB', 4_294_967_296],
])('%s is %d bytes', (text, bytes) => expect(memoryBytes(text)).toBe(bytes));
