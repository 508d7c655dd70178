/** Whose package tree a file lies in. */
import type { OperatingSystem } from '../effective.ts';
import { PROFILES } from './profiles.ts';
import type { AgentProfile } from './schema.ts';

/** They run whatever they are given, wherever they lie: also one that is shipped in an agent's own tree. */
export const INTERPRETER =
  /^(node|nodejs|bun|deno|npx|bunx|python[0-9.]*|pypy[0-9.]*|uv|uvx|pipx|ruby|perl|php|lua|java|(ba|da|z|k|fi|c|tc|a)?sh|env)$/;

/** A path's parts; on Windows in small letters. */
export const segmentsOf = (file: string, os: OperatingSystem): readonly string[] =>
  (os === 'windows' ? file.toLowerCase().replaceAll('\\', '/') : file).split('/');

/** A program's name as profiles write it, from the last part of its path. */
export const nameOf = (last: string, os: OperatingSystem): string => (os === 'windows' ? last.replace(/\.(exe|cmd|bat|ps1)$/, '') : last);

/** The package in whose tree the file lies: the innermost one, for its dependencies are other programs. */
const packageOf = (segments: readonly string[]): { readonly ecosystem: 'npm' | 'pypi'; readonly name: string } | undefined => {
  const at = segments.findLastIndex((segment) => segment === 'node_modules' || segment === 'site-packages' || segment === 'dist-packages');
  const rest = segments.slice(at + 1);
  const parts = segments[at] === 'node_modules' && rest[0]?.startsWith('@') === true ? 2 : 1;
  if (at < 0 || rest.length <= parts) return undefined; // the folder itself, or a loose file in it
  return { ecosystem: segments[at] === 'node_modules' ? 'npm' : 'pypi', name: rest.slice(0, parts).join('/') };
};

/** By `ecosystem name`: what is asked of every program that starts is looked up, not searched. */
const BY_PACKAGE: ReadonlyMap<string, { readonly profile: AgentProfile; readonly verified: boolean }> = new Map(
  PROFILES.flatMap((profile) =>
    (profile.packages ?? []).flatMap(({ ecosystem, name, module, verified }) => {
      const key = ecosystem === 'npm' ? name : module;
      return key === undefined || (ecosystem !== 'npm' && ecosystem !== 'pypi')
        ? []
        : [[`${ecosystem} ${key}`, { profile, verified }] as const];
    }),
  ).reverse(), // of two profiles that name one package, the first counts
);

export const byPackage = (segments: readonly string[]): { readonly profile: AgentProfile; readonly verified: boolean } | undefined => {
  const tree = packageOf(segments);
  return tree && BY_PACKAGE.get(`${tree.ecosystem} ${tree.name}`);
};
