/** Which agents are installed, by package, program, extension or application. Pure over a listing that is passed in: the machine itself, or a record of one. */
import type { OperatingSystem } from '../effective.ts';
import type { InstalledAgent } from '../protocol/inventory.ts';
import { HOME_PLACES, MACHINE_PLACES } from './places.ts';
import { PROFILES } from './profiles.ts';
import type { AgentProfile } from './schema.ts';
import { agentOfExtension, CERTAIN_NAMES, PROGRAM_PLACES, traceOf } from './trace.ts';
import { nameOf } from './trees.ts';

/** What can be asked of a machine. Nothing throws: what is not there, or may not be read, is undefined. */
export interface Machine {
  /** Names in a folder. */
  list(folder: string): readonly string[] | undefined;
  /** The text of a regular file that is not too large. */
  read(file: string): string | undefined;
  /** The place that a path leads to, links resolved. */
  resolve(path: string): string | undefined;
}

export type Found = Pick<InstalledAgent, 'agent' | 'source' | 'place' | 'version'>;

/** Names looked at in one folder, and folders that one pattern leads to. */
const MOST = 512;
const VERSION = /^[0-9A-Za-z][0-9A-Za-z.+_-]{0,39}$/;
const versionOf = (text: unknown): string => (typeof text === 'string' && VERSION.test(text) ? text : '');

const join = (os: OperatingSystem, ...parts: readonly string[]): string => parts.join(os === 'windows' ? '\\' : '/');

/** Folders that a pattern leads to. */
export const expand = (machine: Machine, pattern: string, os: OperatingSystem): string[] => {
  const separator = os === 'windows' ? '\\' : '/';
  const [first = '', ...rest] = pattern.split(separator);
  let places = [first];
  for (const part of rest) {
    if (!part.includes('*')) places = places.map((place) => join(os, place, part));
    else {
      const [before = '', after = ''] = part.split('*');
      const fits = (name: string): boolean =>
        name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after) && !name.startsWith('.');
      places = places
        .flatMap((place) => (machine.list(place === '' ? separator : place) ?? []).filter(fits).map((name) => join(os, place, name)))
        .slice(0, MOST);
    }
  }
  return places;
};

const packagesOf = (profile: AgentProfile, ecosystem: string) => (profile.packages ?? []).filter((datum) => datum.ecosystem === ecosystem);
const isOneOfMany = (name: string): boolean => /-(linux|darwin|win32)-/.test(name);

const inNpm = (machine: Machine, root: string, os: OperatingSystem): Found[] => {
  const names = new Set(machine.list(root)?.slice(0, MOST));
  if (names.size === 0) return [];
  const scopes = new Map<string, ReadonlySet<string>>();
  const isThere = (name: string): boolean => {
    const [scope = '', rest] = name.split('/');
    if (rest === undefined) return names.has(name);
    if (!names.has(scope)) return false;
    const inside = scopes.get(scope) ?? new Set(machine.list(join(os, root, scope)));
    scopes.set(scope, inside);
    return inside.has(rest);
  };
  return PROFILES.flatMap((profile) => {
    const there = packagesOf(profile, 'npm').filter(({ name }) => isThere(name));
    // Of a package and those for single platforms beside it, only the package.
    const shown = there.some(({ name }) => !isOneOfMany(name)) ? there.filter(({ name }) => !isOneOfMany(name)) : there.slice(0, 1);
    return shown.map(({ name }) => {
      const place = join(os, root, ...name.split('/'));
      const version = /"version"\s*:\s*"([^"]*)"/.exec(machine.read(join(os, place, 'package.json')) ?? '')?.[1];
      return { agent: profile.id, source: 'package' as const, place, version: versionOf(version) };
    });
  });
};

const inPypi = (machine: Machine, root: string, os: OperatingSystem): Found[] => {
  const names = machine.list(root)?.slice(0, 8 * MOST) ?? [];
  const there = new Set(names);
  return PROFILES.flatMap((profile) =>
    packagesOf(profile, 'pypi').flatMap(({ name, module }) => {
      if (module === undefined || !there.has(module)) return [];
      // PEP 503: runs of `-`, `_` and `.` are one, and case does not count.
      const normal = (text: string): string => text.toLowerCase().replaceAll(/[-_.]+/g, '-');
      const info = names.find((text) => text.endsWith('.dist-info') && normal(text.split('-')[0] ?? '') === normal(name));
      const version = versionOf(info?.slice(0, -'.dist-info'.length).split('-')[1]);
      return [{ agent: profile.id, source: 'package' as const, place: join(os, root, module), version }];
    }),
  );
};

const programsIn = (machine: Machine, folder: string, os: OperatingSystem): Found[] =>
  (machine.list(folder)?.slice(0, 8 * MOST) ?? []).flatMap((file) => {
    const agent = CERTAIN_NAMES[os].get(nameOf(os === 'windows' ? file.toLowerCase() : file, os));
    if (agent === undefined) return [];
    const place = machine.resolve(join(os, folder, file)) ?? join(os, folder, file);
    const trace = traceOf(place, os);
    return [
      trace?.agent === agent
        ? { agent, source: trace.evidence, place, version: '' }
        : { agent, source: 'name' as const, place, version: '' },
    ];
  });

const brewed = (machine: Machine, root: string, ecosystem: 'homebrew' | 'homebrew-cask', os: OperatingSystem): Found[] => {
  const there = new Set(machine.list(root)?.slice(0, 8 * MOST));
  return PROFILES.flatMap((profile) =>
    packagesOf(profile, ecosystem)
      .filter(({ name }) => there.has(name))
      .map(({ name }) => {
        const place = join(os, root, name);
        const version = versionOf((machine.list(place) ?? []).filter((text) => /^\d/.test(text)).at(-1));
        return { agent: profile.id, source: 'package' as const, place, version };
      }),
  );
};

const bundled = (machine: Machine, root: string, os: OperatingSystem): Found[] =>
  (machine.list(root)?.slice(0, MOST) ?? []).flatMap((file) => {
    if (!file.endsWith('.app')) return [];
    const place = join(os, root, file);
    const plist = machine.read(join(os, place, 'Contents', 'Info.plist')) ?? '';
    const valueOf = (key: string): string | undefined => new RegExp(`<key>${key}</key>\\s*<string>([^<]*)</string>`).exec(plist)?.[1];
    const id = valueOf('CFBundleIdentifier');
    const profile = PROFILES.find(({ bundleIds = [] }) => bundleIds.some(({ ids }) => ids.some((text) => text === id)));
    return profile === undefined
      ? []
      : [{ agent: profile.id, source: 'program' as const, place, version: versionOf(valueOf('CFBundleShortVersionString')) }];
  });

const fromWinget = (machine: Machine, root: string, os: OperatingSystem): Found[] =>
  (machine.list(root)?.slice(0, MOST) ?? []).flatMap((folder) =>
    PROFILES.flatMap((profile) =>
      packagesOf(profile, 'winget')
        .filter(({ name }) => folder === name || folder.startsWith(`${name}_`))
        .map(() => ({ agent: profile.id, source: 'package' as const, place: join(os, root, folder), version: '' })),
    ),
  );

const extensionsIn = (machine: Machine, root: string, os: OperatingSystem): Found[] =>
  (machine.list(root)?.slice(0, MOST) ?? []).flatMap((folder) => {
    const agent = agentOfExtension(folder);
    const version = versionOf(/-(\d[0-9.]*)/.exec(folder)?.[1]);
    return agent === undefined ? [] : [{ agent, source: 'extension' as const, place: join(os, root, folder), version }];
  });

/** What lies in another one's place is a part of it. */
const outermost = (all: readonly Found[], os: OperatingSystem): Found[] => {
  const separator = os === 'windows' ? '\\' : '/';
  const isPart = ({ agent, place }: Found, at: number): boolean =>
    all.some(
      (other, i) => other.agent === agent && i !== at && (place.startsWith(other.place + separator) || (place === other.place && i < at)),
    );
  return all.filter((found, at) => !isPart(found, at));
};

/** @param home absolute; without one, what the machine has for everybody */
export const findInstalled = (machine: Machine, os: OperatingSystem, home?: string): Found[] => {
  const places = home === undefined ? MACHINE_PLACES[os] : HOME_PLACES[os];
  const at = (patterns: readonly string[], look: (machine: Machine, place: string, os: OperatingSystem) => Found[]): Found[] =>
    patterns.flatMap((pattern) =>
      expand(machine, home === undefined ? pattern : join(os, home, pattern), os).flatMap((place) => look(machine, place, os)),
    );
  const own =
    home === undefined
      ? []
      : PROGRAM_PLACES[os].flatMap(({ agent, parts }): Found[] => {
          const place = join(os, home, ...parts);
          return machine.list(place) === undefined ? [] : [{ agent, source: 'program', place, version: '' }];
        });
  const all = [
    ...at(places.npm, inNpm),
    ...at(places.pypi, inPypi),
    ...at(places.cask, (m, place, system) => brewed(m, place, 'homebrew-cask', system)),
    ...at(places.formula, (m, place, system) => brewed(m, place, 'homebrew', system)),
    ...at(places.winget, fromWinget),
    ...at(places.bundles, bundled),
    ...at(places.extensions, extensionsIn),
    ...own,
    ...at(places.programs, programsIn),
  ];
  return outermost(all, os);
};
