import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { dataOf } from './_data.ts';
import { PROFILES } from './profiles.ts';
import type { AgentProfile } from './schema.ts';

const page = fs.readFileSync(path.join(import.meta.dirname, '../../../../docs/agents.md'), 'utf8');

/** One line of the table: what is marked `?` nobody has verified, what is marked `~` other programs are called too, `+8` are packages for single platforms. */
const row = (profile: AgentProfile): string => {
  const { id, name, vendor, kind, packages = [], executables = [], bundleIds = [], extensions = [], mcp = [] } = profile;
  const mark = (text: string, verified: boolean, ambiguous = false): string => `\`${text}\`${ambiguous ? '~' : ''}${verified ? '' : '?'}`;
  const platform = packages.filter((datum) => /-(linux|darwin|win32)-/.test(datum.name));
  const recognised = [
    ...packages.filter((datum) => !platform.includes(datum)).map((datum) => mark(`${datum.ecosystem}:${datum.name}`, datum.verified)),
    ...(platform.length > 0 ? [`+${platform.length}`] : []),
    ...executables.flatMap((datum) => datum.names.map((text) => mark(text, datum.verified, datum.alsoNamed !== undefined))),
    ...bundleIds.flatMap((datum) => datum.ids.map((text) => mark(text, datum.verified))),
    ...extensions.flatMap((datum) => datum.ids.map((text) => mark(text, datum.verified))),
  ];
  const mcpFiles = mcp.flatMap((datum) => datum.paths.map((text) => mark(text, datum.verified)));
  const data = dataOf(profile);
  const confirmed = data.filter(({ verified }) => verified).length;
  return `| \`${id}\` | ${name} (${vendor}) | ${kind} | ${[...new Set(recognised)].join(' ')} | ${[...new Set(mcpFiles)].join(' ')} | ${confirmed} of ${data.length} |`;
};

const rows = page.split('\n').filter((line) => line.startsWith('| `'));

describe('docs/agents.md', () => {
  it.each(PROFILES.map((profile) => [profile.id, row(profile)]))('has the line of %s as its data say', (id, expected) => {
    expect(rows.find((line) => line.startsWith(`| \`${id}\` |`))).toBe(expected);
  });

  it('has no line of an agent that there is not, and keeps the order of the ids', () => {
    expect(rows.map((line) => /^\| `([^`]*)`/.exec(line)?.[1])).toEqual(PROFILES.map(({ id }) => id));
  });

  it('says truly how many there are, and how much of it is not verified', () => {
    const data = PROFILES.flatMap(dataOf);
    expect(page).toContain(`${PROFILES.length} agents`);
    expect(page).toContain(`${data.filter(({ verified }) => !verified).length} of ${data.length} data`);
  });
});
