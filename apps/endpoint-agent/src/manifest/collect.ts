/** From an entry file through its relative imports: all that the program's source declares. */
import fs from 'node:fs';
import path from 'node:path';
import type { PolicyIssue } from '@cordon/policy/document/issues.ts';
import type { PlacedDeclaration } from '@cordon/policy/manifest/write.ts';
import { scan } from './scan.ts';

export interface FileIssue extends PolicyIssue {
  readonly file: string;
}

export interface Collected {
  readonly declared: readonly PlacedDeclaration[];
  readonly issues: readonly FileIssue[];
  /** What was not followed. */
  readonly notes: readonly FileIssue[];
}

const MAX_FILES = 10_000;
const MAX_BYTES = 4 * 1024 * 1024;
const EXTENSIONS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs'];
/** What is written in an import for what lies on the disk. */
const WRITTEN_AS: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
};

/** @returns the file that a relative import means: itself, its source, with an extension, or a folder's index */
const fileOf = (specifier: string, from: string): string | undefined => {
  const target = path.resolve(path.dirname(from), specifier);
  const extension = path.extname(target);
  const candidates = [
    target,
    ...(WRITTEN_AS[extension] ?? []).map((source) => target.slice(0, -extension.length) + source),
    ...EXTENSIONS.map((added) => target + added),
    ...EXTENSIONS.map((added) => path.join(target, `index${added}`)),
  ];
  return candidates.find((candidate) => fs.statSync(candidate, { throwIfNoEntry: false })?.isFile() === true);
};

/**
 * @param entry absolute
 * @param root what the places in the manifest are relative to, so that they are the same wherever it is built
 */
export const collect = (entry: string, root: string): Collected => {
  const declared: PlacedDeclaration[] = [];
  const issues: FileIssue[] = [];
  const notes: FileIssue[] = [];
  const shown = (file: string): string => path.relative(process.cwd(), file);
  const seen = new Set<string>();
  const waiting = [fs.realpathSync(entry)];
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    if (seen.has(file) || !EXTENSIONS.includes(path.extname(file))) continue;
    seen.add(file);
    const wrong = (code: string, message: string, place: { line: number; column: number } = { line: 1, column: 1 }): void =>
      void issues.push({ file: shown(file ?? ''), code: `manifest.${code}`, pointer: '', ...place, message });
    if (seen.size > MAX_FILES) {
      wrong('too-large', `more than ${MAX_FILES} files are imported; build a manifest for each program`);
      break;
    }
    if (fs.statSync(file).size > MAX_BYTES) {
      wrong('too-large', `a source file has at most ${MAX_BYTES} bytes`);
      continue;
    }
    const scanned = scan(file, fs.readFileSync(file, 'utf8'));
    for (const one of scanned.declarations) declared.push({ ...one, file: path.relative(root, file).replaceAll('\\', '/') });
    for (const issue of scanned.issues) issues.push({ file: shown(file), ...issue });
    for (const note of scanned.notes) notes.push({ file: shown(file), ...note });
    for (const { specifier, ...place } of scanned.imports) {
      const found = fileOf(specifier, file);
      if (found === undefined) wrong('import', `${specifier} is not there, so its needs cannot be found`, place);
      else waiting.push(fs.realpathSync(found));
    }
  }
  return { declared, issues, notes };
};
