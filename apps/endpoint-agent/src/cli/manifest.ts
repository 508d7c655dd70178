/**
 * `cordon manifest build ENTRY`: writes the manifest of an agent from the calls of `needs` in its source; nothing is run.
 * `cordon manifest check FILE...`: every error of manifests, with its place. Neither needs a daemon. Status 2 means that something is wrong.
 */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_MANIFEST } from '@cordon/policy/manifest/limits.ts';
import { parseManifest } from '@cordon/policy/manifest/parse.ts';
import { writeManifest } from '@cordon/policy/manifest/write.ts';
import { checkFiles, INVALID_STATUS, printNotices } from './documents.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

/** The nearest package.json at or above a folder. */
const packageOf = (folder: string): { readonly root: string; readonly name: string } | undefined => {
  for (let at = folder; ; at = path.dirname(at)) {
    const file = path.join(at, 'package.json');
    if (fs.existsSync(file)) {
      const content: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
      const name = typeof content === 'object' && content !== null && 'name' in content ? content.name : undefined;
      return { root: at, name: typeof name === 'string' ? name.replace(/^@[^/]*\//, '').toLowerCase() : '' };
    }
    if (at === path.dirname(at)) return undefined;
  }
};

const build = async (entry: string, options: ReadonlyMap<string, string>, json: boolean): Promise<number> => {
  if (fs.statSync(entry, { throwIfNoEntry: false })?.isFile() !== true)
    throw new CordonError('file.unreadable', `${entry} is not a file: name the one that starts the program`, { place: entry });
  const { collect } = await import('../manifest/collect.ts');
  const file = fs.realpathSync(entry);
  const found = packageOf(path.dirname(file));
  const root = found?.root ?? path.dirname(file);
  const { declared, issues, notes } = collect(file, root);
  const all = [
    ...notes.map((note) => ({ ...note, severity: 'warning' as const })),
    ...issues.map((issue) => ({ ...issue, severity: 'error' as const })),
  ];
  printNotices(all, json, process.stderr);
  if (issues.length > 0) return INVALID_STATUS;
  if (declared.length === 0) process.stderr.write('cordon: no call of needs was found, so the manifest asks for nothing\n');
  const name = options.get('name') ?? (found?.name === undefined || found.name === '' ? path.parse(file).name : found.name);
  const agent = options.get('agent');
  const from = path.relative(root, file).replaceAll('\\', '/');
  const text = writeManifest(
    `Written by cordon manifest build from the calls of needs that ${from} reaches. Change those, not this.`,
    { name, ...(agent !== undefined && { agent }) },
    declared,
  );
  parseManifest(text); // what is written can be read
  const out = options.get('out');
  if (out === undefined) process.stdout.write(text);
  else fs.writeFileSync(out, text);
  return 0;
};

export const manifestBuildCommand = async (args: readonly string[]): Promise<number> => {
  const { options, flags, words } = argumentsOf('manifest build', args);
  const [entry, ...more] = words;
  if (entry === undefined || more.length > 0) throw misused(commandNamed('manifest build'));
  return build(entry, options, flags.has('json'));
};

export const manifestCheckCommand = async (args: readonly string[]): Promise<number> => {
  const { flags, words } = argumentsOf('manifest check', args);
  if (words.length === 0) throw misused(commandNamed('manifest check'));
  return checkFiles(words, MAX_MANIFEST, flags.has('json'), (text) => {
    parseManifest(text);
    return [];
  });
};
