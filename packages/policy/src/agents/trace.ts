/** What the place of a file says of whose program it is: for finding agents on a device. It proves nothing about a launch (profile.ts does). */
import type { OperatingSystem } from '../effective.ts';
import type { Evidence } from '../protocol/inventory.ts';
import { PROFILES } from './profiles.ts';
import { byPackage, INTERPRETER, nameOf, segmentsOf } from './trees.ts';

export interface Trace {
  readonly agent: string;
  readonly evidence: Exclude<Evidence, 'content'>;
}

/** Extensions of editors by their ids: they lie in folders named `publisher.name-version`. */
const BY_EXTENSION: ReadonlyMap<string, string> = new Map(
  PROFILES.flatMap(({ id, extensions = [] }) => extensions.flatMap(({ ids }) => ids.map((text) => [text.toLowerCase(), id] as const))),
);

/** @param folder as an editor names it: `anthropic.claude-code-2.1.0-linux-x64` */
export const agentOfExtension = (folder: string): string | undefined => {
  const name = folder.toLowerCase();
  return BY_EXTENSION.get(name) ?? BY_EXTENSION.get(name.replace(/-\d.*$/, ''));
};

/** Names that only one known program has, and that somebody has verified. */
const namesOf = (os: OperatingSystem): ReadonlyMap<string, string> =>
  new Map(
    PROFILES.flatMap(({ id, executables = [] }) =>
      executables
        .filter((group) => group.verified && group.alsoNamed === undefined && group.os.includes(os))
        .flatMap(({ names }) => names.map((name) => [os === 'windows' ? name.toLowerCase() : name, id] as const)),
    ),
  );
export const CERTAIN_NAMES: Readonly<Record<OperatingSystem, ReadonlyMap<string, string>>> = {
  linux: namesOf('linux'),
  macos: namesOf('macos'),
  windows: namesOf('windows'),
};

interface ProgramPlace {
  readonly agent: string;
  /** Below whatever home. */
  readonly parts: readonly string[];
}

/** Places in homes where installers put programs, by the profiles. */
const placesOf = (os: OperatingSystem): readonly ProgramPlace[] =>
  PROFILES.flatMap(({ id, state = [] }) =>
    state
      .filter((group) => group.holds.includes('program') && group.os.includes(os))
      .flatMap(({ paths }) => paths)
      .filter((path) => path.startsWith('${home}'))
      .map((path) => ({ agent: id, parts: segmentsOf(path, os).slice(1) })),
  );
export const PROGRAM_PLACES: Readonly<Record<OperatingSystem, readonly ProgramPlace[]>> = {
  linux: placesOf('linux'),
  macos: placesOf('macos'),
  windows: placesOf('windows'),
};

/** Whether the parts stand in the path, one after the other, not at its very beginning. */
const holds = (segments: readonly string[], parts: readonly string[]): boolean =>
  segments.some((_, at) => at > 0 && parts.every((part, i) => segments[at + i] === part));

/**
 * By package tree, editor's extension, folder of the program, or name: the strongest first. A name counts only for a program of its own: an interpreter
 * in an agent's tree, or a script that merely has an agent's name, is nobody's.
 * @param file absolute, symbolic links resolved
 * @param isScript an interpreter runs it
 */
export const traceOf = (file: string, os: OperatingSystem, isScript = false): Trace | undefined => {
  const segments = segmentsOf(file, os);
  const name = nameOf(segments.at(-1) ?? '', os);
  if (INTERPRETER.test(name)) return undefined;
  const tree = byPackage(segments);
  if (tree !== undefined) return { agent: tree.profile.id, evidence: 'package' };
  const at = segments.findLastIndex((segment) => segment === 'extensions');
  const extension = at < 0 || at >= segments.length - 2 ? undefined : agentOfExtension(segments[at + 1] ?? '');
  if (extension !== undefined) return { agent: extension, evidence: 'extension' };
  const place = PROGRAM_PLACES[os].find(({ parts }) => holds(segments, parts));
  if (place !== undefined) return { agent: place.agent, evidence: 'program' };
  const named = isScript ? undefined : CERTAIN_NAMES[os].get(name);
  return named === undefined ? undefined : { agent: named, evidence: 'name' };
};

const BY_MODULE: ReadonlyMap<string, string> = new Map(
  PROFILES.flatMap(({ id, packages = [] }) => packages.flatMap(({ module }) => (module === undefined ? [] : [[module, id] as const]))),
);

/** @param module as `python -m` is given it */
export const traceOfModule = (module: string): Trace | undefined => {
  const agent = BY_MODULE.get(module.split('.')[0] ?? '');
  return agent === undefined ? undefined : { agent, evidence: 'package' };
};
