import { describe, expect, it } from 'vitest';
import { Compile } from 'typebox/compile';
import type { OperatingSystem } from '../effective.ts';
import { canonicalHostPattern } from '../match/host.ts';
import { canonicalPath, isWithin } from '../match/path.ts';
import { dataOf, pathGroupsOf, recognitionOf } from './_data.ts';
import { agentFolders } from './profile.ts';
import { PROFILES } from './profiles.ts';
import { AgentProfileSchema, PROFILE_VARIABLES } from './schema.ts';

const check = Compile(AgentProfileSchema);
const SYSTEMS: readonly OperatingSystem[] = ['linux', 'macos', 'windows'];
const HOME: Record<OperatingSystem, string> = { linux: '/home/ada', macos: '/Users/ada', windows: 'C:\\Users\\Ada' };

/** Every path of every profile on every system it is for, as written and expanded. */
const paths = PROFILES.flatMap((profile) =>
  pathGroupsOf(profile).flatMap(({ os, paths: written }) =>
    os.flatMap((system) => written.map((text) => ({ id: profile.id, system, only: os.length === 1, text }))),
  ),
);
const expanded = (text: string, os: OperatingSystem): string => {
  const roots: Record<string, string> = { home: HOME[os], workspace: os === 'windows' ? 'D:\\src\\shop' : '/srv/shop' };
  return canonicalPath(
    text.replace(/^\$\{([^}]*)\}/, (whole, name: string) => roots[name] ?? whole),
    os,
  );
};
const repeated = (values: readonly string[]): string[] => [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];

describe('agent profiles', () => {
  it.each(PROFILES)('$id fits the schema', (profile) => {
    expect([...check.Errors(profile)]).toEqual([]);
  });

  it('a profile with an unknown field, without a source or with a date in words does not fit', () => {
    const [profile] = PROFILES;
    const mcp = { os: ['linux'], paths: ['${home}/.x'], source: 'https://example.com/', checked: '2026-11-24', verified: true };
    expect(check.Check({ ...profile, mcp: [mcp] })).toBe(true);
    expect(check.Check({ ...profile, note: 'x' })).toBe(false);
    expect(check.Check({ ...profile, mcp: [{ ...mcp, source: 'http://example.com/' }] })).toBe(false);
    expect(check.Check({ ...profile, mcp: [{ ...mcp, source: undefined }] })).toBe(false);
    expect(check.Check({ ...profile, mcp: [{ ...mcp, checked: 'last autumn' }] })).toBe(false);
    expect(check.Check({ ...profile, mcp: [{ ...mcp, verified: undefined }] })).toBe(false);
  });

  it('are ordered by id, and no id is given twice', () => {
    const ids = PROFILES.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  it('keep the four ids that policies have named from the beginning', () => {
    expect(PROFILES.map(({ id }) => id)).toEqual(expect.arrayContaining(['claude-code', 'codex', 'gemini-cli', 'opencode']));
  });

  it('every datum has the address of a page or package, the day of the check and whether it was confirmed', () => {
    const data = PROFILES.flatMap(dataOf);
    expect(data.length).toBeGreaterThan(300);
    for (const { source, checked, verified } of data) {
      expect(['https:', 'pkg:']).toContain(new URL(source).protocol);
      expect(new Date(checked).toISOString().slice(0, 10)).toBe(checked);
      expect(typeof verified).toBe('boolean');
    }
  });

  it('at least 25 agents can be recognised by something that was confirmed', () => {
    const known = PROFILES.filter((profile) => recognitionOf(profile).some(({ verified }) => verified));
    expect(known.length).toBeGreaterThanOrEqual(25);
  });

  it('every agent can be recognised by something, and has places or is a framework', () => {
    expect(PROFILES.filter((profile) => recognitionOf(profile).length === 0)).toEqual([]);
    expect(PROFILES.filter((profile) => profile.state === undefined && profile.kind !== 'framework')).toEqual([]);
  });

  it('no two agents share a package, a module, a bundle id, an extension or a name that proves', () => {
    const packages = PROFILES.flatMap((p) => (p.packages ?? []).map(({ ecosystem, name }) => `${ecosystem}:${name}`));
    const modules = PROFILES.flatMap((p) => (p.packages ?? []).flatMap(({ module }) => (module === undefined ? [] : [module])));
    const bundles = PROFILES.flatMap((p) => (p.bundleIds ?? []).flatMap(({ ids }) => ids));
    const extensions = PROFILES.flatMap((p) => (p.extensions ?? []).flatMap(({ ids }) => ids.map((id) => id.toLowerCase())));
    const names = PROFILES.flatMap((p) =>
      (p.executables ?? []).flatMap((group) => group.os.flatMap((os) => group.names.map((name) => `${os}:${name}`))),
    );
    expect([packages, modules, bundles, extensions, names].flatMap(repeated)).toEqual([]);
  });

  it('only packages of Python name a module', () => {
    expect(
      PROFILES.flatMap((p) => p.packages ?? []).filter(({ ecosystem, module }) => module !== undefined && ecosystem !== 'pypi'),
    ).toEqual([]);
  });
});

describe('paths of agent profiles', () => {
  it('begin with a known variable, or are absolute on their system', () => {
    for (const { text, system } of paths) {
      const variable = /^\$\{([^}]*)\}[/\\]/.exec(text)?.[1];
      if (variable === undefined) expect(text, text).toMatch(system === 'windows' ? /^[A-Z]:\\/ : /^\//);
      else expect(PROFILE_VARIABLES).toContain(variable);
      expect(text.slice(1)).not.toContain('${');
    }
  });

  it('are canonical after expansion, in the form of each system they are for', () => {
    for (const { text, system } of paths)
      expect(expanded(text, system)).toMatch(system === 'windows' ? /^[A-Z]:(\\[^\\/]+){2,}$/ : /^(\/[^/\\]+){2,}$/);
  });

  it('hold no segment that canonical form would change', () => {
    for (const { text, system } of paths) {
      const plain = text.replace(/^\$\{[^}]*\}/, system === 'windows' ? 'C:\\x' : '/x');
      expect(canonicalPath(plain, system)).toBe(system === 'windows' ? plain.replaceAll('/', '\\') : plain);
    }
  });

  it('use a backslash only where Windows is the only system', () => {
    expect(paths.filter(({ text, system, only }) => text.includes('\\') && !(system === 'windows' && only))).toEqual([]);
  });

  it('hold no folder of another system', () => {
    const foreign: Record<OperatingSystem, RegExp> = { linux: /Library\/|AppData/, macos: /AppData|^\/etc\//, windows: /Library\// };
    expect(paths.filter(({ text, system }) => foreign[system].test(text))).toEqual([]);
  });
});

/** Two agents with one place, or one inside another's, because their makers did it so. */
const INTENDED = new Set(['gemini-cli > antigravity', 'cursor = cursor-cli', 'kiro = kiro-cli']);
/** Folders that belong to everybody: no agent may have one of them as its own. */
const COMMON = [
  '',
  '.config',
  '.local',
  '.local/share',
  '.local/state',
  '.local/bin',
  '.cache',
  '.agents',
  '.config/Code',
  '.config/Code/User',
  '.vscode',
  '.aws',
  '.ssh',
].map((folder) => `/home/ada/${folder}`.replace(/\/$/, ''));

describe('places of agent profiles', () => {
  it.each(SYSTEMS)('lie below home on %s, never at or above it', (os) => {
    for (const { id } of PROFILES)
      for (const place of agentFolders(id, HOME[os], os)) {
        expect(isWithin(place, HOME[os], os)).toBe(true);
        expect(isWithin(HOME[os], place, os)).toBe(false);
      }
  });

  it('are no folder that belongs to everybody, nor an ancestor of one', () => {
    const places = PROFILES.flatMap(({ id }) => agentFolders(id, HOME.linux));
    expect(places.length).toBeGreaterThan(50);
    expect(places.filter((place) => COMMON.some((common) => isWithin(common, place, 'linux')))).toEqual([]);
  });

  it('overlap with those of another agent only where it is intended', () => {
    const owned = SYSTEMS.flatMap((os) => PROFILES.flatMap(({ id }) => agentFolders(id, HOME[os], os).map((place) => ({ id, os, place }))));
    const overlaps = owned.flatMap((a) =>
      owned
        .filter((b) => a.os === b.os && a.id !== b.id && isWithin(b.place, a.place, a.os))
        .map((b) => (a.place === b.place ? [a.id, b.id].sort().join(' = ') : `${a.id} > ${b.id}`)),
    );
    expect([...new Set(overlaps)].sort()).toEqual([...INTENDED].sort());
  });

  it('never include a program that the user could replace', () => {
    for (const profile of PROFILES)
      for (const { os, holds, paths: written } of profile.state ?? [])
        if (holds.includes('program'))
          for (const system of os)
            for (const text of written)
              expect(
                agentFolders(profile.id, HOME[system], system).filter((place) => isWithin(expanded(text, system), place, system)),
              ).toEqual([]);
  });
});

describe('hosts of agent profiles', () => {
  it('are canonical patterns that no policy would refuse', () => {
    const hosts = PROFILES.flatMap((p) => (p.hosts ?? []).flatMap((group) => group.hosts));
    expect(hosts.length).toBeGreaterThan(60);
    expect(hosts.filter((host) => canonicalHostPattern(host) !== host || host === '*')).toEqual([]);
  });

  it('are named once for each agent', () => {
    for (const profile of PROFILES) expect(repeated((profile.hosts ?? []).flatMap(({ hosts }) => hosts))).toEqual([]);
  });
});
