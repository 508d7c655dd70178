import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect } from './collect.ts';

let root: string;
beforeEach(() => {
  root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-collect-')));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const HELPER = "import { needs } from '@cordon/policy/manifest/needs.ts';\n";
const need = (name: string): string => `${HELPER}needs({ environment: ['${name}'] });\n`;
const write = (files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text);
  }
};
const found = (entry = 'main.ts'): readonly string[] => {
  const { declared, issues } = collect(path.join(root, entry), root);
  expect(issues).toEqual([]);
  return declared
    .map(({ declaration, file, lineOf }) => `${declaration.environment?.join() ?? ''} ${file}:${lineOf(['environment', 0])}`)
    .sort();
};

describe('what an entry reaches', () => {
  it('is found through imports of every kind, however they are written', () => {
    write({
      'main.ts': `import './a.js';\nimport './b';\nimport './folder';\nexport * from './c.mjs';\nawait import('./deep/d.tsx');\nimport './data.json';\n${need('MAIN')}`,
      'a.ts': need('A'),
      'b.jsx': `${need('B')}export const b = <i />;`,
      'folder/index.mts': need('FOLDER'),
      'c.mts': need('C'),
      'deep/d.tsx': `import '../main.ts';\nimport '../a.ts';\n${need('D')}`,
      'data.json': '{}',
      'beside.ts': need('BESIDE'),
    });
    expect(found()).toEqual(['A a.ts:2', 'B b.jsx:2', 'C c.mts:2', 'D deep/d.tsx:4', 'FOLDER folder/index.mts:2', 'MAIN main.ts:8']);
  });

  it('is found once, through links and circles', () => {
    write({ 'main.ts': "import './real.ts';\nimport './link.ts';\n", 'real.ts': `import './main.ts';\n${need('REAL')}` });
    fs.symlinkSync(path.join(root, 'real.ts'), path.join(root, 'link.ts'));
    expect(found()).toEqual(['REAL real.ts:3']);
  });

  it('a file that is written and made of the same name is read as it will run', () => {
    write({ 'main.ts': "import './a.js';\n", 'a.js': need('MADE'), 'a.ts': need('SOURCE') });
    expect(found()).toEqual(['MADE a.js:2']);
  });

  it('an import that leads nowhere is an error where it stands', () => {
    write({ 'main.ts': "\nimport './gone.ts';\n" });
    expect(collect(path.join(root, 'main.ts'), root).issues).toMatchObject([
      { code: 'manifest.import', line: 2, column: 8, file: path.relative(process.cwd(), path.join(root, 'main.ts')) },
    ]);
  });

  it('a source that is too large is an error, not a long wait', () => {
    write({ 'main.ts': "import './big.js';\n", 'big.js': `//${'x'.repeat(4 * 1024 * 1024)}` });
    expect(collect(path.join(root, 'main.ts'), root).issues).toMatchObject([{ code: 'manifest.too-large' }]);
  });
});
