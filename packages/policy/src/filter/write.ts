/** A filter as text again: in one form, whoever wrote it. */
import type { Filter, Value } from './filter.ts';

const BARE = /^[A-Za-z0-9_.:/@-]+$/;
const KEYWORDS = /^(?:and|or|not|in|is|contains|startsWith)$/i;
const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
] as const;

const fromNow = (ms: number): string => {
  if (ms === 0) return 'now';
  const [size, unit] = UNITS.find(([one]) => ms % one === 0) ?? [1000, 's'];
  return `now${ms < 0 ? '-' : '+'}${Math.abs(ms) / size}${unit}`;
};

const valueText = (value: Value): string => {
  if (typeof value === 'object') return 'at' in value ? new Date(value.at).toISOString() : fromNow(value.fromNow);
  const text = String(value);
  return BARE.test(text) && !KEYWORDS.test(text) ? text : `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
};

const inner = (filter: Filter): string =>
  filter.kind === 'and' || filter.kind === 'or' ? `(${writeFilter(filter)})` : writeFilter(filter);

/** @returns a text that `parseFilter` reads as the same filter */
export const writeFilter = (filter: Filter): string => {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.parts.map(inner).join(` ${filter.kind} `);
    case 'not':
      return filter.of.kind === 'known' ? `${filter.of.field} is unknown` : `not ${inner(filter.of)}`;
    case 'known':
      return `${filter.field} is known`;
    case 'in':
      return `${filter.field} in (${filter.values.map(valueText).join(', ')})`;
    case 'compare':
      return `${filter.field} ${filter.operator} ${valueText(filter.value)}`;
  }
};
