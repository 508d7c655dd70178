/**
 * `npm run test:mutations [-- FILE…]`: takes one check at a time out of the code that decides what a device trusts, in a copy, and runs its tests. A copy that
 * passes is a check that no test would miss; it must be in the list below, with the reason, or this fails.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { mutantsOf, type Literal, type Mutant } from './mutants.ts';

const root = path.join(import.meta.dirname, '..');
const TRUST = 'packages/policy/src/trust';

const FILES: Readonly<Record<string, readonly Literal[]>> = {
  'verify.ts': [
    { from: 'policies.map(preparePolicy)', to: 'policies.flatMap((p) => { try { return [preparePolicy(p)]; } catch { return []; } })' },
    { from: 'input.receipt ? now : new Date(0)', to: 'new Date(0)' },
    { from: 'await requireWitnesses(seen[0], frame.witness, root);', to: '' },
    { from: 'await requireWitnesses(seen[1], membership.witness, root);', to: '' },
  ],
  'root.ts': [
    { from: '      demandSigned(jws, trusted);\n', to: '' },
    { from: '    demandSigned(jws, next);\n', to: '' },
    { from: 'jwks.map(checkPublicKey)', to: 'jwks.map((jwk) => jwk)' },
  ],
  'floor.ts': [],
  'envelope.ts': [
    { from: 'const closed = { additionalProperties: false }', to: 'const closed = { additionalProperties: true }' },
    { from: '}, closed),\n);\n\n/** RFC 7515 §4', to: '}),\n);\n\n/** RFC 7515 §4' },
    { from: 'if (key === undefined) continue;\n', to: '' },
    { from: 'if (key === undefined) continue;\n', to: 'if (key === undefined) { kids.add(kid); continue; }\n' },
    { from: 'kids.add(kid);', to: 'kids.add(Buffer.from(signature).toString());' },
  ],
  'merkle.ts': [
    { from: 'digest(1, left, right)', to: 'digest(0, left, right)' },
    { from: '`01${left}${right}`', to: '`00${left}${right}`' },
  ],
  'strict-json.ts': [
    { from: 'JSON.stringify(value) === text && ', to: '' },
    { from: ' && !isDeeper(value, maxDepth)', to: '' },
  ],
  'keys.ts': [
    { from: 'jwks.map(checkPublicKey).map(', to: 'jwks.map(' },
    { from: 'minus ^= zeros & ((nLow >> 1) ^ (nLow >> 2)) & 1;', to: '' },
    { from: 'minus ^= (low & nLow & 2) >> 1;', to: '' },
  ],
  'orders.ts': [
    { from: 'const closed = { additionalProperties: false }', to: 'const closed = { additionalProperties: true }' },
    { from: 'expires > issued && ', to: '' },
    { from: ' && expires - issued <= longestMs', to: '' },
    { from: "root.keys('approver')", to: "new Map([...root.keys('approver'), ...root.keys('policy')])" },
    { from: 'at < expires', to: 'at <= expires' },
    { from: 'payload.org === org && ', to: '' },
    { from: ' && payload.device === device', to: '' },
    { from: ' && payload.retirement === sha256Hex(retirement)', to: '' },
  ],
  'witness.ts': [
    { from: "error.code !== 'jws.key') throw error;", to: 'false) throw error;' },
    { from: 'kids.add(await openCosignature', to: 'kids.add(cosignature); (await openCosignature' },
  ],
  'history.ts': [
    { from: 'const isFork = distance === 0 ||', to: 'const isFork =' },
    { from: '|| (distance === 1 && later.payload.previous !== earlier.digest)', to: '' },
    { from: 'b.members.size >= a.members.size && ', to: '' },
    { from: '&& b.cohorts.size >= a.cohorts.size', to: '' },
    { from: 'b.audit.seq > a.audit.seq || ', to: 'true || ' },
    { from: '&& b.audit.head === a.audit.head', to: '' },
    { from: 'b.serial >= a.serial', to: 'true' },
    { from: 'header.payload.number === number && ', to: '' },
    { from: ' && header.payload.epoch === at.payload.epoch', to: '' },
    { from: 'over && header.digest !== goal.digest', to: 'false' },
    { from: '...(distance === 0 ? [] : grows(earlier, later))', to: '' },
  ],
};

/** What may survive, as `FILE: from => to`, and why nothing can tell it from the original. */
const EQUIVALENT: Readonly<Record<string, string>> = {
  'merkle.ts: left === undefined => false': 'there is no hole: a leaf is replaced or appended, never put beyond the end',
  'keys.ts: n === 1n && minus === 0 => true && minus === 0':
    'only a multiple of the prime differs, and that is a point of small order, refused before',
};

const squeeze = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
const nameOf = (file: string, { from, to }: Mutant): string => `${file}: ${squeeze(from)} => ${squeeze(to) || 'nothing'}`;

/** A copy of the package with the repository's modules, and a suite of its trust tests alone. */
const makeCopy = (): string => {
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-mutants-'));
  fs.cpSync(path.join(root, 'packages/policy/src'), path.join(copy, 'packages/policy/src'), { recursive: true });
  fs.copyFileSync(path.join(root, 'packages/policy/package.json'), path.join(copy, 'packages/policy/package.json'));
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  fs.writeFileSync(
    path.join(copy, 'vitest.config.ts'),
    `export default { test: { include: ['${TRUST}/*.test.ts'], testTimeout: 30_000, bail: 1, reporters: ['dot'] } };\n`,
  );
  return copy;
};

/** The tests of one file first: they are the ones that should notice. A run that does not end has noticed too. */
const passes = (copy: string, filter: readonly string[]): boolean =>
  spawnSync(process.execPath, [path.join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...filter], {
    cwd: copy,
    env: { ...process.env, CORDON_LAW_RUNS: '25' },
    timeout: 120_000,
    killSignal: 'SIGKILL',
  }).status === 0;

const wanted = process.argv.slice(2);
const copy = makeCopy();
const problems: string[] = [];
let [tried, expected] = [0, 0];
try {
  if (!passes(copy, [])) throw new Error('the trust tests do not pass as they are');
  for (const [file, literals] of Object.entries(FILES).filter(([name]) => wanted.length === 0 || wanted.includes(name))) {
    const place = path.join(copy, TRUST, file);
    const original = fs.readFileSync(place, 'utf8');
    const { mutants, unreached } = mutantsOf(original, literals);
    problems.push(...unreached.map((line) => `${file}:${line}: nothing takes this check out`));
    for (const mutant of mutants) {
      tried += 1;
      const name = nameOf(file, mutant);
      fs.writeFileSync(place, mutant.text);
      const survived = passes(copy, [path.join(TRUST, path.parse(file).name)]) && passes(copy, []);
      const reason = EQUIVALENT[name];
      if (survived && reason !== undefined) expected += 1;
      if (survived && reason === undefined) problems.push(`${file}:${mutant.line} survived: ${name}`);
      if (!survived && reason !== undefined)
        problems.push(`${file}:${mutant.line} is noticed by a test now, take it off the list: ${name}`);
      console.log(`${survived ? (reason === undefined ? 'SURVIVED' : 'same    ') : 'noticed '} ${name}`);
    }
    fs.writeFileSync(place, original);
  }
} finally {
  fs.rmSync(copy, { recursive: true, force: true });
}
for (const problem of problems) console.log(`FAILED ${problem}`);
console.log(`mutants: ${tried} tried, ${expected} of them change nothing that can be seen, ${problems.length} problems`);
process.exitCode = problems.length === 0 && tried > 0 ? 0 : 1;
