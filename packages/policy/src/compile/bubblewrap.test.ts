/** Compilation for Linux: what the mounts mean against what the policy says. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, effectiveOf, LAUNCH, policyOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { SYSTEM_READ } from '../builtin.ts';
import type { PolicyDocument } from '../document/schema.ts';
import { isWithin } from '../match/path.ts';
import { compileBubblewrap, START_LINE, type LinuxEndpoint } from './bubblewrap.ts';
import { reachesEverythingAllowed, reachesNothingDenied, refusesWhatIsNotEnforced, report, reportsEveryControl } from './_compile-laws.ts';
import { mounts } from './_sandbox-model.ts';

const { tmp } = LAUNCH.linux;
const ENDPOINT: LinuxEndpoint = { exists: () => true, isDirectory: () => true, installation: [] };
const means = fc.constantFrom('cgroup' as const, 'rlimit' as const, 'none' as const);
const anyMeans = fc.record({ memory: means, cpu: means, processes: means });
/** A host on which only some places are: those whose name has an even number of letters. */
const SPARSE: LinuxEndpoint = { ...ENDPOINT, exists: (path) => path.length % 2 === 0 };
const isPrivate = (path: string): boolean => isWithin(path, tmp, 'linux');

const plan = (spec: PolicyDocument['spec'], endpoint: LinuxEndpoint = ENDPOINT) =>
  compileBubblewrap(effectiveOf([policyOf(0, spec)], 'linux'), endpoint);
const lists = (spec: PolicyDocument['spec'], endpoint?: LinuxEndpoint) => plan(spec, endpoint).request.filesystem;
const home = LAUNCH.linux.home;
const workspace = `${home}/src/app`;

describe('compiled for bubblewrap', { timeout: LAW_TIMEOUT_MS }, () => {
  it('reaches exactly what the policy allows, where everything is there', () => {
    fc.assert(
      fc.property(arbitraryPolicies, (policies) => {
        const effective = effectiveOf(policies, 'linux');
        fc.pre(effective.refused === undefined);
        const compiled = compileBubblewrap(effective, ENDPOINT);
        const reach = mounts(compiled.request.filesystem, SYSTEM_READ.linux, 'linux');
        reachesNothingDenied(
          { ...compiled, controls: compiled.controls.map(({ gap: _gap, ...rest }) => rest) },
          effective,
          reach,
          isPrivate,
        );
        reachesEverythingAllowed(effective, reach, isPrivate);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it("never brings the host's temporary folder for the private one", () => {
    const { readonlyPaths, readwritePaths } = lists({
      allow: { filesystem: { read: ['${tmp}/q'], write: ['${tmp}', '/tmp', '${workspace}'] } },
    });
    expect([...readonlyPaths, ...readwritePaths].filter(isPrivate)).toEqual([]);
    expect(readwritePaths).toContain(workspace);
  });

  it('reaches nothing denied where places are missing, or says so', () => {
    fc.assert(
      fc.property(arbitraryPolicies, anyMeans, (policies, limits) => {
        const effective = effectiveOf(policies, 'linux');
        const compiled = compileBubblewrap(effective, { ...SPARSE, limits, installation: [`${workspace}/a`] });
        reachesNothingDenied(compiled, effective, mounts(compiled.request.filesystem, SYSTEM_READ.linux, 'linux'), isPrivate);
        reportsEveryControl(compiled);
        refusesWhatIsNotEnforced(compiled, effective);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('never lets Cordon itself be written', () => {
    fc.assert(
      fc.property(arbitraryPolicies, fc.constantFrom(home, workspace, `${workspace}/a/b`, '/srv/a', '/opt'), (policies, place) => {
        const { request } = compileBubblewrap(effectiveOf(policies, 'linux'), { ...ENDPOINT, installation: [place] });
        expect(mounts(request.filesystem, SYSTEM_READ.linux, 'linux')(`${place}/program`, 'write')).toBe(false);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it.each<[name: string, spec: PolicyDocument['spec'], readonly: string[], readwrite: string[], denied: string[]]>([
    ['nothing', {}, [], [], []],
    ['a grant', { allow: { filesystem: { read: ['/srv/a'], write: ['/srv/b'] } } }, ['/srv/a'], ['/srv/b'], []],
    ['a read inside a write takes no power away', { allow: { filesystem: { read: ['/srv/a/b'], write: ['/srv/a'] } } }, [], ['/srv/a'], []],
    ['a write inside a read', { allow: { filesystem: { read: ['/srv'], write: ['/srv/a'] } } }, ['/srv'], ['/srv/a'], []],
    [
      'a grant inside a denied place',
      { allow: { filesystem: { read: ['/srv/a/b'] } }, deny: { filesystem: { access: ['/srv/a'] } } },
      [],
      [],
      [],
    ],
    [
      'a hidden place in a writable one, and the folders above it pinned',
      { allow: { filesystem: { write: ['/srv'] } }, deny: { filesystem: { access: ['/srv/a/b/c'] } } },
      [],
      ['/srv', '/srv/a', '/srv/a/b'],
      ['/srv/a/b/c'],
    ],
    [
      'a read-only place in a read-only place: no folder between them is opened',
      { allow: { filesystem: { write: ['/srv'] } }, deny: { filesystem: { write: ['/srv/a', '/srv/a/b/c'] } } },
      ['/srv/a'],
      ['/srv'],
      [],
    ],
    [
      'a hidden place in a read-only one: nor there',
      { allow: { filesystem: { write: ['/srv'] } }, deny: { filesystem: { write: ['/srv/a'], access: ['/srv/a/b/c'] } } },
      ['/srv/a'],
      ['/srv'],
      ['/srv/a/b/c'],
    ],
    [
      'what a limit leaves',
      { allow: { filesystem: { write: ['/srv'] } }, limit: { filesystem: { write: ['/srv/a'], read: ['/srv/a', '/srv/b'] } } },
      ['/srv/b'],
      ['/srv/a'],
      [],
    ],
    ['a hidden part of the baseline', { deny: { filesystem: { access: ['/etc/app'] } } }, [], [], ['/etc/app']],
    ['a whole folder of the baseline', { deny: { filesystem: { access: ['/etc'] } } }, [], [], ['/etc']],
    [
      'a folder that holds folders of the baseline',
      { deny: { filesystem: { access: ['/usr'] } } },
      [],
      [],
      SYSTEM_READ.linux.filter((path) => path.startsWith('/usr/')).sort(),
    ],
  ])('mounts %s', (_name, spec, readonlyPaths, readwritePaths, deniedPaths) => {
    expect(lists({ allow: {}, ...spec })).toEqual({ readonlyPaths, readwritePaths, deniedPaths: ['/proc/1', ...deniedPaths] });
  });

  it('protects what a later program would execute in the workspace, and pins the folders above', () => {
    const { readonlyPaths, readwritePaths } = lists({ allow: { filesystem: { write: ['${workspace}'] } } });
    expect(readonlyPaths).toContain(`${workspace}/.git/hooks`);
    expect(readwritePaths).toEqual([workspace, `${workspace}/.git`, `${workspace}/.git/info`]);
  });

  it('grants nothing that is not there, and says so', () => {
    const spec = { allow: { filesystem: { read: ['/srv/a'], write: ['/srv/b'] } } };
    const endpoint = { ...ENDPOINT, exists: () => false };
    expect(lists(spec, endpoint)).toEqual({ readonlyPaths: [], readwritePaths: [], deniedPaths: ['/proc/1'] });
    expect(report(plan(spec, endpoint), 'filesystem.read').why).toContain('/srv/a, /srv/b');
  });

  it.each<[name: string, endpoint: Partial<LinuxEndpoint>, state: string, why: RegExp]>([
    ['a folder', {}, 'enforced', /empty mounts/],
    ['a file', { isDirectory: () => false }, 'approximated', /replaces the file.*\/srv\/a\/secret/],
    ['what is not there yet', { exists: (path) => path !== '/srv/a/secret' }, 'approximated', /not there.*\/srv\/a\/secret/],
  ])('says how truly %s is hidden', (_name, change, state, why) => {
    const spec: PolicyDocument['spec'] = {
      allow: { filesystem: { read: ['/srv/a'] } },
      deny: { filesystem: { access: ['/srv/a/secret'] } },
    };
    const found = report(plan(spec, { ...ENDPOINT, ...change }), 'filesystem.deny');
    expect(found.state).toBe(state);
    expect(found.why).toMatch(why);
  });

  it('says that a program hidden in one folder of two names is found under the other', () => {
    const found = report(plan({ allow: {}, deny: { filesystem: { access: ['/usr/bin/curl', '/usr/share/doc'] } } }), 'filesystem.deny');
    expect(found).toMatchObject({ state: 'approximated', gap: 'wider' });
    expect(found.why).toMatch(/other name: \/usr\/bin\/curl$/);
  });

  it('has no way out but the proxy, and starts nothing but the constant line', () => {
    const { request, egress } = plan({ allow: { network: { hosts: [{ host: 'example.com' }] } } });
    expect(request.network).toEqual({ egress: { default: 'deny' } });
    expect(request.process).toEqual({ commandLine: START_LINE, env: ['PATH=/usr/bin:/bin'] });
    expect(egress.hosts.map(({ host }) => host)).toEqual(['example.com']);
  });

  it.each<[means: LinuxEndpoint['limits'], memory: string, cpu: string, processes: string]>([
    [undefined, 'unsupported', 'unsupported', 'unsupported'],
    [{ memory: 'none', cpu: 'none', processes: 'none' }, 'unsupported', 'unsupported', 'unsupported'],
    [{ memory: 'rlimit', cpu: 'rlimit', processes: 'rlimit' }, 'approximated', 'unsupported', 'approximated'],
    [{ memory: 'cgroup', cpu: 'cgroup', processes: 'cgroup' }, 'enforced', 'enforced', 'enforced'],
    [{ memory: 'cgroup', cpu: 'none', processes: 'rlimit' }, 'enforced', 'unsupported', 'approximated'],
  ])('limits each resource as the endpoint can: %j', (limits, memory, cpu, processes) => {
    const compiled = plan(
      { allow: {}, limit: { resources: { memory: '4GiB', cpu: 2.5, processes: 512, timeout: '8h' } } },
      { ...ENDPOINT, ...(limits !== undefined && { limits }) },
    );
    expect(compiled.limits).toEqual({ timeoutMs: 28_800_000, memoryBytes: 4 * 1024 ** 3, cpus: 2.5, processes: 512 });
    expect(
      ['resources.memory', 'resources.cpu', 'resources.processes'].map(
        (control) => compiled.controls.find((c) => c.control === control)?.state,
      ),
    ).toEqual([memory, cpu, processes]);
  });

  it('is refused when more isolation is demanded, whatever is required', () => {
    expect(plan({ allow: {}, limit: { isolation: 'vm' }, required: [] }).unmet.map(({ control }) => control)).toEqual(['isolation']);
  });

  it('cannot give what needs a desktop, and is refused where that is required', () => {
    const compiled = plan({ allow: { ui: { windows: true, clipboard: 'read' } }, required: ['ui.clipboard', 'ui.input-injection'] });
    expect(compiled.unmet.map(({ control, gap }) => ({ control, gap }))).toEqual([{ control: 'ui.clipboard', gap: 'narrower' }]);
  });

  it('gives nothing to a subject that may not start', () => {
    const compiled = plan({ allow: { filesystem: { write: ['/srv'] }, network: { hosts: [{ host: 'a.test' }] } }, deny: { run: true } });
    expect(compiled.request.filesystem).toEqual({ readonlyPaths: [], readwritePaths: [], deniedPaths: ['/proc/1'] });
    expect(compiled.egress.hosts).toEqual([]);
  });
});
