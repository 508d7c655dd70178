/** Compilation for Windows' process containers, by tier and by example. */
import { describe, expect, it } from 'vitest';
import { effectiveOf, LAUNCH, policyOf } from '../_arbitrary-policy.ts';
import type { PolicyDocument } from '../document/schema.ts';
import { PORT, START, windowsEndpoint } from './_backends.ts';
import { report } from './_compile-laws.ts';
import { compileProcessContainer } from './processcontainer.ts';
import type { WindowsEndpoint } from './processcontainer-network.ts';

const { workspace = '', tmp } = LAUNCH.windows;
const plan = (spec: PolicyDocument['spec'], endpoint: WindowsEndpoint = windowsEndpoint('base-container')) =>
  compileProcessContainer(effectiveOf([policyOf(0, { allow: {}, ...spec })], 'windows'), endpoint);
const TIERS = ['base-container', 'appcontainer-bfs', 'appcontainer-dacl'] as const;
const OUT: PolicyDocument['spec'] = { allow: { network: { hosts: [{ host: 'example.com' }], ingress: true } } };
const FILES: PolicyDocument['spec'] = {
  allow: { filesystem: { read: ['C:\\data'], write: ['${workspace}'] } },
  deny: { filesystem: { access: ['C:\\data\\secret'] } },
};

describe('compiled for a process container', () => {
  it('says all of it in the terms of the SDK', () => {
    const { request, tier } = plan({ ...FILES, limit: { resources: { timeout: '8h' } } });
    expect(tier).toBe('base-container');
    expect(request).toEqual({
      command: START.command,
      workingDirectory: workspace,
      environment: START.environment,
      inheritDefaultEnvironment: false,
      timeoutMs: 28_800_000,
      containment: { type: 'processcontainer', config: {} },
      filesystem: {
        readonlyPaths: expect.arrayContaining(['C:\\data', `${workspace}\\.git\\hooks`]),
        readwritePaths: [tmp, workspace],
        deniedPaths: ['C:\\data\\secret'],
        clearPolicyOnExit: true,
      },
      network: { egress: { default: 'deny' }, ingress: { default: 'deny', hostLoopback: 'deny' } },
      ui: { disable: true, clipboard: 'none', allowInputInjection: false },
    });
  });

  it.each<[tier: (typeof TIERS)[number], read: string, write: string, deny: string, protect: string]>([
    ['base-container', 'enforced', 'enforced', 'enforced', 'approximated'],
    ['appcontainer-bfs', 'approximated', 'approximated', 'approximated', 'unsupported'],
    ['appcontainer-dacl', 'approximated', 'approximated', 'approximated', 'unsupported'],
  ])('keeps files on the tier %s as that can', (tier, ...states) => {
    const compiled = plan(FILES, windowsEndpoint(tier));
    const found = (['filesystem.read', 'filesystem.write', 'filesystem.deny', 'filesystem.protect'] as const).map(
      (control) => report(compiled, control).state,
    );
    expect(found).toEqual(states);
  });

  it('is refused on weak tiers by a policy that says nothing of what it requires', () => {
    expect(TIERS.map((tier) => plan(FILES, windowsEndpoint(tier)).unmet.map(({ control }) => control))).toEqual([
      [],
      ['filesystem.read', 'filesystem.write'],
      ['filesystem.read', 'filesystem.write'],
    ]);
  });

  it('never asks the strongest tier for what it cannot deny: it would be exchanged for a weaker one', () => {
    const spec: PolicyDocument['spec'] = {
      allow: { filesystem: { read: ['C:\\data'], write: ['C:\\data\\a', '${workspace}'] } },
      deny: { filesystem: { access: ['C:\\data\\secret', '${workspace}\\.git\\secret'] } },
    };
    const compiled = plan(spec, windowsEndpoint('base-container', { capabilities: ['proxyEnforcement'] }));
    expect(compiled.request.filesystem).toMatchObject({ readonlyPaths: [], readwritePaths: [tmp, 'C:\\data\\a'], deniedPaths: [] });
    expect(report(compiled, 'filesystem.read')).toMatchObject({
      state: 'unsupported',
      gap: 'narrower',
      why: expect.stringContaining('C:\\data'),
    });
    expect(report(compiled, 'filesystem.deny').state).toBe('enforced');
  });

  it('says that it cannot hide a part of the system there', () => {
    const compiled = plan(
      { deny: { filesystem: { access: ['C:\\Windows\\App'] } } },
      windowsEndpoint('base-container', { capabilities: [] }),
    );
    expect(report(compiled, 'filesystem.deny')).toMatchObject({ state: 'unsupported', gap: 'wider' });
  });

  it('reaches its proxy by the identity of the proxy, with the network that Windows opens for that', () => {
    const compiled = plan(OUT);
    expect(compiled.request.network).toEqual({
      egress: { default: 'deny' },
      ingress: { default: 'allow', hostLoopback: 'deny' },
      runtimeConfig: { networkProxy: `http://127.0.0.1:${PORT}` },
    });
    expect(compiled.request.containment).toEqual({ type: 'processcontainer', config: { network: { allowedProxyPeer: 'Cordon.Egress' } } });
    expect(report(compiled, 'network.hosts').state).toBe('enforced');
  });

  const anonymous = { port: PORT };
  it.each<[why: string, spec: PolicyDocument['spec'], endpoint: WindowsEndpoint, said: RegExp]>([
    [
      'ingress is not allowed',
      { allow: { network: { hosts: [{ host: 'example.com' }] } } },
      windowsEndpoint('base-container'),
      /allow network\.ingress/,
    ],
    ['the tier is weak', OUT, windowsEndpoint('appcontainer-dacl'), /appcontainer-dacl cannot hold/],
    [
      'the machine cannot hold it',
      OUT,
      windowsEndpoint('base-container', { capabilities: ['filesystemDeniedPaths'] }),
      /this Windows cannot/,
    ],
    [
      'the proxy has no identity, and the loopback is not allowed',
      OUT,
      windowsEndpoint('base-container', { proxy: anonymous }),
      /an identity/,
    ],
  ])('has no network where %s', (_why, spec, endpoint, said) => {
    const compiled = plan({ ...spec, required: ['network.hosts'] }, endpoint);
    expect(compiled.request.network).toMatchObject({ egress: { default: 'deny' }, ingress: { hostLoopback: 'deny' } });
    expect(compiled.request.network?.runtimeConfig).toBeUndefined();
    expect(compiled.unmet).toEqual([
      expect.objectContaining({ control: 'network.hosts', gap: 'narrower', why: expect.stringMatching(said) }),
    ]);
  });

  it('reaches a proxy without an identity where the policy allows all that this opens', () => {
    const { request } = plan(
      { allow: { network: { hosts: [{ host: 'example.com' }], ingress: true, hostLoopback: true } } },
      windowsEndpoint('base-container', { proxy: anonymous }),
    );
    expect(request.network?.ingress).toEqual({ default: 'allow', hostLoopback: 'allow' });
    expect(request.containment).toEqual({ type: 'processcontainer', config: {} });
  });

  it.each<[name: string, ui: NonNullable<PolicyDocument['spec']['allow']>['ui'], emitted: object, clipboard: string]>([
    ['nothing', {}, { disable: true, clipboard: 'none', allowInputInjection: false }, 'enforced'],
    ['windows', { windows: true }, { disable: false, clipboard: 'none', allowInputInjection: false }, 'enforced'],
    [
      'windows and pasting',
      { windows: true, clipboard: 'read' },
      { disable: false, clipboard: 'read', allowInputInjection: false },
      'enforced',
    ],
    [
      'all',
      { windows: true, clipboard: 'all', inputInjection: true },
      { disable: false, clipboard: 'all', allowInputInjection: true },
      'enforced',
    ],
    ['pasting without windows', { clipboard: 'write' }, { disable: true, clipboard: 'none', allowInputInjection: false }, 'unsupported'],
  ])('opens of the desktop %s', (_name, ui, emitted, clipboard) => {
    const compiled = plan({ allow: { ui: ui ?? {} } });
    expect(compiled.request.ui).toEqual(emitted);
    expect(report(compiled, 'ui.clipboard').state).toBe(clipboard);
  });
});
