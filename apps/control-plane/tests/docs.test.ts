/** What the pages say that can be looked up: variables, codes, files and routes. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import type { Field } from '@cordon/policy/filter/filter.ts';
import { DEVICE_FIELDS } from '../src/devices/filter.ts';
import { ENDINGS } from '../src/gateway/notices.ts';

const root = path.join(import.meta.dirname, '../../..');
const text = (file: string): string => fs.readFileSync(path.join(root, file), 'utf8');
const quoted = (page: string): string[] => [...page.matchAll(/`([^`\n]+)`/g)].map(([, inner = '']) => inner);
const sources = fs
  .globSync('{apps,packages}/*/src/**/*.ts', { cwd: root })
  .filter((file) => !file.includes('generated') && !file.endsWith('.test.ts'))
  .map(text)
  .join('\n');

describe('the pages', () => {
  it('name every variable of the control plane and no other', () => {
    const read = [...text('apps/control-plane/src/config.ts').matchAll(/'((?:CORDON|DATABASE)_[A-Z_]+)'/g)].map(([, name]) => name);
    const page = text('docs/operator.md');
    const table = page.slice(page.indexOf('| variable |'), page.indexOf('**First start**'));
    expect([...new Set(quoted(table).filter((name) => /^[A-Z_]+$/.test(name)))].sort()).toEqual([...new Set(read)].sort());
  });

  it.each(['docs/admin.md', 'docs/operator.md', 'docs/enrollment.md', 'docs/install.md'])(
    '%s names no code that the programs do not have',
    (file) => {
      const isFile = /\.(?:json|log|sock|md|ts|yaml)$/;
      const codes = quoted(text(file)).filter((code) => /^[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*$/.test(code) && !isFile.test(code));
      expect(codes.length).toBeGreaterThan(15);
      // A code stands in the source as it is, or its end is put behind a beginning: `auth.token-${verdict}`.
      const isKnown = (code: string): boolean =>
        sources.includes(`'${code}'`) ||
        sources.includes(`\`${code}\``) ||
        sources.includes(`\`${code.slice(0, code.lastIndexOf('-') + 1)}\${`);
      expect(codes.filter((code) => !isKnown(code))).toEqual([]);
    },
  );

  it('describe every field of a filter, and no other', () => {
    const rows = [...text('docs/filters.md').matchAll(/^\| `(\w+)` \| (\w+) \| (.*) \|$/gm)].map(([, ...cells]) => cells);
    const fields = Object.entries<Field>(DEVICE_FIELDS).map(([name, { kind, description, words, selfReported }]) => [
      name,
      kind,
      `${description}${words === undefined ? '' : `: ${words.join(', ')}`}${selfReported === true ? '; it says so itself' : ''}`,
    ]);
    expect(rows).toEqual(fields);
  });

  it('say of every code that a channel closes with what to do', () => {
    const page = text('docs/enrollment.md');
    const rows = [...page.matchAll(/^\| (\d{4}) \|([^|]*)\|([^|]*)\|$/gm)].map(([, code, reasons = '', meaning = '']) => ({
      code: Number(code),
      reasons,
      meaning,
    }));
    expect(new Set(rows.map(({ code }) => code))).toEqual(new Set([...Object.values(CLOSE), 1009, 1011]));
    for (const { meaning } of rows) expect(meaning.trim().length).toBeGreaterThan(20);
    // Every reason that the gateway gives, but those that are the code of a problem.
    const channel = fs.globSync('apps/control-plane/src/{gateway,devices}/*.ts', { cwd: root }).map(text).join('\n');
    const given = [...channel.matchAll(/CLOSE\.(?:revoked|replaced|rate|restart), '([a-z.-]+)'/g)].map(([, reason = '']) => reason);
    expect(given.length).toBeGreaterThan(4);
    const named = rows.flatMap(({ reasons }) => quoted(reasons));
    for (const reason of [...given, ...ENDINGS]) expect(named).toContain(reason);
  });

  it('name no permission, path or test that is not there', () => {
    const missing = [
      'README.md',
      'ARCHITECTURE.md',
      'SECURITY.md',
      'CONTRIBUTING.md',
      'docs/admin.md',
      'docs/operator.md',
      'docs/threats.md',
    ].flatMap((file) => {
      const page = text(file);
      const links = [...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target = '']) => path.join(path.dirname(file), target));
      const paths = quoted(page).filter((inner) => /^(?:apps|packages|prisma|infra|bench|docs|tests|src)\/[\w./-]+$/.test(inner));
      const at = (place: string): string[] => [
        place,
        ...['control-plane', 'endpoint-agent'].map((app) => `apps/${app}/${place}`),
        `packages/policy/${place}`,
      ];
      return [...links, ...paths]
        .filter((place) => !at(place).some((one) => fs.existsSync(path.join(root, one))))
        .map((place) => `${file}: ${place}`);
    });
    expect(missing).toEqual([]);
  });

  it('give the two commands, and they exist', () => {
    const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
    for (const command of ['quickstart', 'test']) {
      expect(text('README.md')).toContain(`npm ${command === 'test' ? '' : 'run '}${command}`);
      expect(scripts).toHaveProperty(command);
    }
    for (const [, name = ''] of text('CONTRIBUTING.md').matchAll(/npm run ([a-z:]+)/g)) expect(scripts).toHaveProperty([name]);
  });
});
