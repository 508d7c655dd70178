/** Compilation for the two backends that run a Linux container, by example: no way out, and what each keeps of files and limits. */
import { describe, expect, it } from 'vitest';
import { effectiveOf, LAUNCH, policyOf } from '../_arbitrary-policy.ts';
import type { PolicyDocument } from '../document/schema.ts';
import { HOST, START } from './_backends.ts';
import { report } from './_compile-laws.ts';
import { compileLxc } from './lxc.ts';
import { compileWslc } from './wslc.ts';

const wslc = (spec: PolicyDocument['spec']) =>
  compileWslc(effectiveOf([policyOf(0, { allow: {}, ...spec })], 'windows'), { ...HOST, start: START, image: 'debian:bookworm' });
const lxc = (spec: PolicyDocument['spec']) =>
  compileLxc(effectiveOf([policyOf(0, { allow: {}, ...spec })], 'linux'), {
    ...HOST,
    start: START,
    distribution: 'debian',
    release: 'bookworm',
  });
const CLOSED = { egress: { default: 'deny' }, ingress: { default: 'deny', hostLoopback: 'deny' } };
const OUT: PolicyDocument['spec'] = {
  allow: {
    network: { hosts: [{ host: 'example.com' }], cidrs: [{ cidr: '192.0.2.0/24', private: true }], ingress: true, hostLoopback: true },
  },
  required: ['network.hosts'],
};

describe.each([
  ['wslc', wslc],
  ['lxc', lxc],
] as const)('compiled for %s', (_name, plan) => {
  it('has no network at all, since it has no way to the egress proxy, and says what that takes away', () => {
    const compiled = plan(OUT);
    expect(compiled.request.network).toEqual(CLOSED);
    const taken = compiled.controls.filter(({ gap }) => gap === 'narrower').map(({ control }) => control);
    expect(taken).toEqual(['network.hosts', 'network.cidrs', 'network.ingress', 'network.host-loopback']);
    expect(compiled.unmet.map(({ control }) => control)).toContain('network.hosts');
  });

  it('keeps rules for hosts by having none to keep, where nothing is allowed', () => {
    expect(report(plan({}), 'network.hosts').state).toBe('enforced');
  });

  it('gives methods and paths no way either', () => {
    const compiled = plan({ allow: { network: { hosts: [{ host: 'example.com', methods: ['GET'] }] } } });
    expect([report(compiled, 'network.hosts').state, report(compiled, 'network.http').state]).toEqual(['enforced', 'unsupported']);
  });
});

describe('compiled for wslc', () => {
  it('gives folders as volumes, and none that holds a hidden place: it has nothing to hide a part with', () => {
    const compiled = wslc({
      allow: { filesystem: { read: ['C:\\data'], write: ['C:\\data\\a', '${workspace}'] } },
      deny: { filesystem: { access: ['${workspace}\\.git\\secret'] } },
    });
    expect(compiled.request.filesystem).toEqual({ readonlyPaths: ['C:\\data'], readwritePaths: ['C:\\data\\a'], deniedPaths: [] });
    expect(report(compiled, 'filesystem.write')).toMatchObject({
      state: 'unsupported',
      gap: 'narrower',
      why: expect.stringContaining(LAUNCH.windows.workspace ?? ''),
    });
    expect(report(compiled, 'filesystem.deny').state).toBe('enforced');
  });

  it.each<[cpu: number, cpuCount: number, state: string]>([
    [0.5, 1, 'unsupported'],
    [1, 1, 'enforced'],
    [2.9, 2, 'enforced'],
  ])('limits its machine to processors: %d are %d', (cpu, cpuCount, state) => {
    const compiled = wslc({ limit: { resources: { cpu, memory: '4GiB', processes: 10 } } });
    expect(compiled.request.containment).toEqual({
      type: 'wslc',
      config: { image: 'debian:bookworm', gpu: false, cpuCount, memoryMb: 4096 },
    });
    expect(
      (['resources.cpu', 'resources.memory', 'resources.processes'] as const).map((control) => report(compiled, control).state),
    ).toEqual([state, 'enforced', 'unsupported']);
  });

  it('is a virtual machine of its own', () => {
    expect(wslc({ limit: { isolation: 'vm' }, required: [] }).unmet).toEqual([]);
  });
});

describe('compiled for lxc', () => {
  it('mounts what is granted and masks what is hidden, but counts nothing of it as truly enforced: the workload is root inside', () => {
    const compiled = lxc({
      allow: { filesystem: { read: ['/srv/a'], write: ['/srv/b'] } },
      deny: { filesystem: { access: ['/srv/a/secret'] } },
    });
    expect(compiled.request).toMatchObject({
      containment: { type: 'lxc', config: { distribution: 'debian', release: 'bookworm' } },
      filesystem: { readonlyPaths: ['/srv/a'], readwritePaths: ['/srv/b'], deniedPaths: ['/srv/a/secret'] },
    });
    expect((['filesystem.read', 'filesystem.write', 'filesystem.deny'] as const).map((control) => report(compiled, control).state)).toEqual(
      Array.from({ length: 3 }, () => 'approximated'),
    );
    expect(compiled.unmet.map(({ control }) => control)).toEqual(['filesystem.read', 'filesystem.write']);
  });
});
