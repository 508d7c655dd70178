import { describe, expect, it } from 'vitest';
import { scan } from './scan.ts';

const HEAD = "import { needs } from '@cordon/policy/manifest/needs.ts';\n";
const issuesOf = (text: string, file = 'a.ts'): readonly string[] =>
  scan(file, text).issues.map(({ line, column, code, pointer }) => `${line}:${column} ${code}${pointer === '' ? '' : ` ${pointer}`}`);
const declared = (text: string, file = 'a.ts'): readonly unknown[] => {
  expect(issuesOf(text, file)).toEqual([]);
  return scan(file, text).declarations.map(({ declaration }) => declaration);
};

describe('calls of needs', () => {
  it.each([
    ['around a function', "export const f = needs({ environment: ['LANG'] }, async () => 1);"],
    ['around a tool', "export const tool = needs({ environment: ['LANG'] }, { name: 'x', execute() {} });"],
    ['of the program itself', "needs({ environment: ['LANG'] });"],
    ['inside a function', "function f() { return needs({ environment: ['LANG'] }, () => 1); }"],
    ['with types', "needs<() => void>({ environment: ['LANG'] as const } satisfies Declaration, f as () => void);"],
    ['with a template that says nothing', "needs(({ 'environment': [`LANG`] }), f);"],
    ['in a class, by decorators’ side', "class A { @dec() x = needs({ environment: ['LANG'] }, () => 1); needs = 1; }"],
    [
      'beside members and types of that name',
      "type T = typeof needs; interface I { needs: T } const o = { needs: 1 }; o.needs; needs({ environment: ['LANG'] });",
    ],
  ])('are found %s', (_, text) => {
    expect(declared(HEAD + text)).toEqual([{ environment: ['LANG'] }]);
  });

  it('are found under another name, in JSX, in JavaScript, and from a copy of the helper', () => {
    const body = "export const f = declare({ environment: ['LANG'] }, () => 1);";
    expect(declared(`import { needs as declare } from './needs.ts'; const x = <b>{1}</b>; ${body}`, 'a.tsx')).toHaveLength(1);
    expect(declared(`import { needs as declare } from '../lib/needs.js'; ${body}`, 'a.mjs')).toHaveLength(1);
  });

  it('of something else of that name are not meant', () => {
    expect(scan('a.ts', "import { needs } from 'wishes'; needs(anything());")).toMatchObject({ declarations: [], issues: [] });
    expect(scan('a.ts', 'const needs = (x) => x; needs(1);')).toMatchObject({ declarations: [], issues: [] });
    expect(scan('a.ts', "import type { needs } from './needs.ts'; import { type needs as t } from './needs.ts';")).toMatchObject({
      issues: [],
      imports: [],
    });
  });

  it('say where each part stands', () => {
    const [one] = scan(
      'a.ts',
      `${HEAD}needs({\n  network: {\n    hosts: [\n      { host: 'a.test' },\n      { host: 'b.test' },\n    ] } });`,
    ).declarations;
    expect([one?.lineOf([]), one?.lineOf(['network', 'hosts', 1]), one?.lineOf(['network', 'hosts', 1, 'host'])]).toEqual([2, 6, 6]);
  });
});

describe('what would have to be run to be known is an error with its place', () => {
  it.each([
    ['a name', 'needs({ environment: names });', '2:22 manifest.computed'],
    ['a shorthand', 'needs({ environment });', '2:9 manifest.computed'],
    ['a variable in a template', 'needs({ filesystem: { read: [`${workspace}`] } });', '2:30 manifest.computed'],
    ['a spread object', 'needs({ ...more });', '2:9 manifest.computed'],
    ['spread elements', 'needs({ environment: [...more] });', '2:23 manifest.computed'],
    ['a hole', "needs({ environment: ['LANG', , 'TERM'] });", '2:22 manifest.computed'],
    ['a computed key', "needs({ ['environment']: [] });", '2:9 manifest.computed'],
    ['a method', 'needs({ environment() {} });', '2:9 manifest.computed'],
    ['a sum', "needs({ environment: ['LA' + 'NG'] });", '2:23 manifest.computed'],
    ['a call', 'needs(declaration());', '2:7 manifest.computed'],
    ['a regular expression', 'needs({ environment: [/LANG/] });', '2:23 manifest.computed'],
    ['a key twice', "needs({ environment: ['LANG'], environment: [] });", '2:32 manifest.computed'],
    ['nothing', 'needs();', '2:8 manifest.declaration'],
    ['arguments from elsewhere', 'needs(...all);', '2:7 manifest.declaration'],
  ])('%s', (_, text, expected) => {
    expect(issuesOf(HEAD + text)).toEqual([expected]);
  });

  it('a declaration is as strict as a manifest, both sides of it', () => {
    const text = `${HEAD}needs({ filesystem: { raed: ['/srv'], write: ['\${home}/.ssh'] }, optional: { environment: ['LD_PRELOAD'], network: { hosts: [{ host: 'a b' }] } } });`;
    expect(issuesOf(text)).toEqual([
      '2:23 manifest.unknown-key /filesystem/raed',
      '2:47 path.never-granted /filesystem/write/0',
      '2:92 environment.loader /optional/environment/0',
      '2:134 host.invalid /optional/network/hosts/0/host',
    ]);
  });

  it('a member with a name of JavaScript’s own is only an unknown one', () => {
    expect(issuesOf(`${HEAD}needs({ __proto__: { environment: [] }, constructor: 1 });`)).toEqual([
      '2:9 manifest.unknown-key /__proto__',
      '2:41 manifest.unknown-key /constructor',
    ]);
  });

  it('a source that cannot be read is an error with its place', () => {
    expect(issuesOf('const x = ;\n')).toEqual(['1:11 manifest.source']);
  });
});

describe('calls that could not be found are errors', () => {
  it.each([
    ['under another name', 'const other = needs;', '2:15 manifest.use'],
    ['passed on', 'wrap(needs);', '2:6 manifest.use'],
    ['in an object', 'const o = { needs };', '2:13 manifest.use'],
    ['exported', 'export { needs };', '2:10 manifest.import'],
    ['hidden by a parameter', 'function f(needs) { }', '2:12 manifest.use'],
    ['hidden by a variable', '{ const needs = 1; }', '2:9 manifest.use'],
    ['by its members', 'needs.call(null, {});', '2:1 manifest.use'],
    ['exported again', "export { needs as again } from './needs.ts';", '2:10 manifest.import'],
    ['as a namespace', "import * as all from './needs.ts';", '2:13 manifest.import'],
    ['loaded later', "const { needs: later } = await import('./needs.ts');", '2:39 manifest.import'],
    ['required', "const { needs: required } = require('./needs.js');", '2:37 manifest.import'],
    ['as a default', "import all from './needs.ts';", '2:8 manifest.import'],
  ])('%s', (_, text, expected) => {
    expect(issuesOf(HEAD + text)).toEqual([expected]);
  });
});

describe('what a file imports', () => {
  it('is every relative file that is loaded, once each', () => {
    const { imports, notes } = scan(
      'a.ts',
      "import './a.ts'; import x from './b.js'; export * from '../c.ts'; await import('./d.ts'); require('./e.cjs'); import '.'; import './a.ts'; import 'pkg'; import fs from 'node:fs';",
    );
    expect(imports.map(({ specifier }) => specifier)).toEqual(['./a.ts', './b.js', '.', '../c.ts', './d.ts', './e.cjs']);
    expect(notes).toEqual([]);
  });

  it('is not what only types are taken from', () => {
    expect(
      scan('a.ts', "import type { A } from './a.ts'; import { type B } from './b.ts'; export type { C } from './c.ts';").imports,
    ).toEqual([]);
  });

  it('is noted where it cannot be followed', () => {
    const { imports, notes } = scan('a.ts', "await import(name);\nrequire(`./${x}`);\nimport '#inner';");
    expect(imports).toEqual([]);
    expect(notes.map(({ line, code }) => `${line} ${code}`)).toEqual([
      '1 manifest.not-followed',
      '2 manifest.not-followed',
      '3 manifest.not-followed',
    ]);
  });
});
