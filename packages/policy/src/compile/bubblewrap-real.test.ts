/**
 * The model of bubblewrap that the laws stand on, against bubblewrap itself: a real sandbox, started by the native executor from a compiled request as an ordinary account,
 * reads and writes in a real tree exactly what the policies allow.
 */
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arbitrarySpec, policyOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { createDecider } from '../decide/decider.ts';
import { preparePolicy } from '../document/prepare.ts';
import type { PolicyDocument } from '../document/schema.ts';
import type { EffectivePolicy, PathVariables } from '../effective.ts';
import { resolve } from '../resolve.ts';
import { compileBubblewrap } from './bubblewrap.ts';
import { asContract, execute } from './_sdk.ts';

const FOLDERS = [
  'x',
  'x/y',
  'x/y/z',
  'xy',
  'src/app',
  'src/app/a',
  'src/app/a/b',
  'src/app/a/b/c/d',
  'src/app/ab',
  'src/app/.git/hooks',
  '.config/gh',
  '.agent',
  '.ssh',
];

/** What one compiler or another has got wrong: a guarded place in a guarded one, and grants in grants. */
const HARD: readonly PolicyDocument['spec'][] = [
  {
    allow: { filesystem: { write: ['${workspace}'] } },
    deny: { filesystem: { write: ['${workspace}/a'], access: ['${workspace}/a/b/c'] } },
  },
  { allow: { filesystem: { write: ['${workspace}'] } }, deny: { filesystem: { write: ['${workspace}/a', '${workspace}/a/b/c'] } } },
  { allow: { filesystem: { write: ['${workspace}'] } }, deny: { filesystem: { access: ['${workspace}/a/b/c'] } } },
  { allow: { filesystem: { read: ['${workspace}/a/b'], write: ['${workspace}', '${workspace}/a/b/c'] } } },
  {
    allow: { filesystem: { read: ['${home}'], write: ['${home}/x/y'] } },
    limit: { filesystem: { read: ['${home}/x', '${workspace}/a'] } },
  },
];

describe.runIf(process.platform === 'linux')('a real sandbox', { timeout: LAW_TIMEOUT_MS }, () => {
  let root: string;
  let folders: readonly string[];
  let variables: PathVariables;

  beforeAll(() => {
    // Not below /tmp: the sandbox has one of its own.
    root = fs.realpathSync(fs.mkdtempSync('/var/tmp/cordon-'));
    const home = path.join(root, 'home');
    for (const folder of FOLDERS) fs.mkdirSync(path.join(home, folder), { recursive: true });
    folders = fs
      .readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => path.join(entry.parentPath, entry.name));
    for (const folder of folders) fs.writeFileSync(path.join(folder, 'there'), 'there\n');
    if (process.getuid?.() === 0)
      for (const place of [root, ...folders, ...folders.map((folder) => path.join(folder, 'there'))]) fs.chownSync(place, 65_534, 65_534);
    variables = {
      home,
      workspace: path.join(home, 'src/app'),
      tmp: '/tmp',
      tools: [path.join(home, 'xy')],
      agent: [path.join(home, '.agent')],
    };
  });
  afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

  const written = (folder: string): string => path.join(folder, 'made');
  /** For each folder, whether its file can be read and whether one made in it is on the host. */
  const seen = (effective: EffectivePolicy) => {
    const { request } = compileBubblewrap(effective, {
      exists: fs.existsSync,
      isDirectory: (place) => fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false,
      installation: [],
    });
    const quoted = folders.map((folder) => `'${folder}'`).join(' ');
    const commandLine = `for f in ${quoted}; do if read -r a <"$f/there"; then echo "$f $a"; fi; echo >"$f/made"; done 2>/dev/null; echo done`;
    const { status, said } = execute(asContract({ ...request, process: { ...request.process, commandLine } }));
    expect({ status, said }).toMatchObject({ status: 0, said: expect.stringMatching(/(^|\n)done\n$/) });
    const lines = new Set(said.split('\n'));
    return folders.map((folder) => {
      const write = fs.existsSync(written(folder));
      fs.rmSync(written(folder), { force: true });
      return { folder, read: lines.has(`${folder} there`), write };
    });
  };

  it('reads and writes exactly what the policies allow', () => {
    let writes = 0;
    fc.assert(
      fc.property(fc.array(arbitrarySpec, { maxLength: 4 }), (specs) => {
        // Without the system's own folders nothing starts, and writing them takes more than an ordinary account.
        fc.pre(!/"\/(usr|etc|srv)/.test(JSON.stringify(specs)));
        const effective = resolve({
          policies: specs.map((spec, i) => preparePolicy(policyOf(i, spec))),
          floor: undefined,
          subject: { agent: { id: 'claude-code', proof: 'proven' }, user: 'ann', os: 'linux' },
          variables,
        });
        fc.pre(effective.refused === undefined);
        const { paths } = createDecider(effective);
        const found = seen(effective);
        writes += found.filter(({ write }) => write).length;
        expect(found).toEqual(
          folders.map((folder) => ({
            folder,
            read: paths.allows(path.join(folder, 'there'), 'read'),
            write: paths.allows(written(folder), 'write'),
          })),
        );
      }),
      { numRuns: Math.ceil(LAW_RUNS / 5), examples: HARD.map((spec) => [[spec]]) },
    );
    expect(writes).toBeGreaterThan(0);
  });
});
