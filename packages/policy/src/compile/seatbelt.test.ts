/** Compilation for macOS, by example. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, effectiveOf, LAUNCH, policyOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import type { PolicyDocument } from '../document/schema.ts';
import { HOST, PORT, START } from './_backends.ts';
import { reachesEverythingAllowed, report } from './_compile-laws.ts';
import { denyWins } from './_sandbox-model.ts';
import { compileSeatbelt, SEATBELT_BASELINE, type MacEndpoint } from './seatbelt.ts';

const ENDPOINT: MacEndpoint = { ...HOST, start: START, proxyPort: PORT, asOnDisk: (path) => path };
const plan = (spec: PolicyDocument['spec'], change: Partial<MacEndpoint> = {}) =>
  compileSeatbelt(effectiveOf([policyOf(0, { allow: {}, ...spec })], 'macos'), { ...ENDPOINT, ...change });
const { home, tmp } = LAUNCH.macos;

describe('compiled for seatbelt', () => {
  it(
    'gives everything that the policy allows',
    () => {
      fc.assert(
        fc.property(arbitraryPolicies, (policies) => {
          const effective = effectiveOf(policies, 'macos');
          fc.pre(effective.refused === undefined);
          const { request } = compileSeatbelt(effective, ENDPOINT);
          reachesEverythingAllowed(effective, denyWins(request.filesystem ?? {}, SEATBELT_BASELINE, 'macos'));
        }),
        { numRuns: LAW_RUNS },
      );
    },
    LAW_TIMEOUT_MS,
  );

  it('says all of it in the terms of the SDK', () => {
    const { request } = plan({
      allow: { filesystem: { read: ['/srv/data'], write: ['${workspace}'] }, network: { hosts: [{ host: 'example.com' }] } },
      deny: { filesystem: { access: ['${workspace}/secret'] } },
      limit: { resources: { timeout: '8h' } },
    });
    expect(request).toEqual({
      command: START.command,
      environment: START.environment,
      inheritDefaultEnvironment: false,
      timeoutMs: 28_800_000,
      containment: { type: 'seatbelt', config: { guiAccess: false, keychainAccess: false, nestedPty: true } },
      filesystem: {
        readonlyPaths: expect.arrayContaining(['/Applications', '/srv/data', '/usr', `${home}/src/app/.git/hooks`]),
        readwritePaths: [`${home}/src/app`, tmp],
        deniedPaths: expect.arrayContaining([`${home}/src/app/secret`, '/Library/Keychains']),
        clearPolicyOnExit: true,
      },
      network: {
        egress: { default: 'deny' },
        ingress: { default: 'deny', hostLoopback: 'deny' },
        runtimeConfig: { networkProxy: `http://127.0.0.1:${PORT}` },
      },
      ui: { disable: true, clipboard: 'none', allowInputInjection: false },
    });
  });

  it('masks credentials of the machine in the folders that every sandbox reads', () => {
    expect(plan({}).request.filesystem?.deniedPaths).toEqual(
      expect.arrayContaining(['/Library/Keychains', '/Library/Application Support/Cordon', '/private/etc/sudoers']),
    );
  });

  it('spells paths as the disk does, since rules compare text', () => {
    const asOnDisk = (path: string): string => path.replace('/srv/DATA', '/srv/Data');
    const { filesystem } = plan(
      { allow: { filesystem: { read: ['/srv/DATA'] } }, deny: { filesystem: { access: ['/srv/DATA/x'] } } },
      { asOnDisk },
    ).request;
    expect(filesystem?.readonlyPaths).toContain('/srv/Data');
    expect(filesystem?.deniedPaths).toContain('/srv/Data/x');
  });

  it.each<[name: string, spec: PolicyDocument['spec'], state: string]>([
    ['a deny right in what is writable', { deny: { filesystem: { access: ['${workspace}/secret'] } } }, 'enforced'],
    ['a deny below a folder that can be renamed', { deny: { filesystem: { access: ['${workspace}/a/secret'] } } }, 'approximated'],
  ])('says how truly it keeps %s', (_name, spec, state) => {
    expect(report(plan({ allow: { filesystem: { write: ['${workspace}'] } }, ...spec }), 'filesystem.deny').state).toBe(state);
  });

  it('says that a protected place which is not there yet can be made under another spelling', () => {
    const protect = report(
      plan({ allow: { filesystem: { write: ['${workspace}'] } } }, { exists: (path) => !path.endsWith('.husky') }),
      'filesystem.protect',
    );
    expect(protect).toMatchObject({ state: 'approximated', gap: 'wider' });
    expect(protect.why).toMatch(/another spelling.*\.husky$/);
  });

  it('has no network without a proxy, and says what that takes away', () => {
    const { request, unmet } = compileSeatbelt(
      effectiveOf(
        [policyOf(0, { allow: { network: { hosts: [{ host: 'example.com' }] } }, required: ['network.hosts', 'network.cidrs'] })],
        'macos',
      ),
      { ...HOST, start: START, asOnDisk: (path) => path },
    );
    expect(request.network).toEqual({ egress: { default: 'deny' }, ingress: { default: 'deny', hostLoopback: 'deny' } });
    expect(unmet.map(({ control, gap }) => [control, gap])).toEqual([['network.hosts', 'narrower']]);
  });

  it.each([0, 80, 65_536, 8080.5])('takes no proxy at port %d', (proxyPort) => {
    expect(() => plan({}, { proxyPort })).toThrow(expect.objectContaining({ code: 'compile.proxy-port' }));
  });

  it.each<[name: string, spec: PolicyDocument['spec'], ingress: string, ingressState: string, loopbackState: string]>([
    ['nothing', {}, 'deny', 'enforced', 'enforced'],
    ['the network in', { allow: { network: { ingress: true } } }, 'allow', 'enforced', 'approximated'],
    ["the host's loopback", { allow: { network: { hostLoopback: true } } }, 'deny', 'enforced', 'unsupported'],
    ['both', { allow: { network: { ingress: true, hostLoopback: true } } }, 'allow', 'enforced', 'unsupported'],
  ])('lets in, where the policy allows %s', (_name, spec, ingress, ingressState, loopbackState) => {
    const compiled = plan(spec);
    expect(compiled.request.network?.ingress).toEqual({ default: ingress, hostLoopback: 'deny' });
    expect([report(compiled, 'network.ingress').state, report(compiled, 'network.host-loopback').state]).toEqual([
      ingressState,
      loopbackState,
    ]);
  });

  it.each([
    ['none', 'none', 'enforced'],
    ['read', 'none', 'unsupported'],
    ['write', 'none', 'unsupported'],
    ['all', 'all', 'enforced'],
  ] as const)('opens the pasteboard as a whole or not: %s', (clipboard, emitted, state) => {
    const compiled = plan({ allow: { ui: { clipboard } } });
    expect([compiled.request.ui?.clipboard, report(compiled, 'ui.clipboard').state]).toEqual([emitted, state]);
  });

  it('never opens windows or input, and says so', () => {
    const compiled = plan({ allow: { ui: { windows: true, inputInjection: true } } });
    expect(compiled.request.ui).toEqual({ disable: true, clipboard: 'none', allowInputInjection: false });
    expect([report(compiled, 'ui.windows').gap, report(compiled, 'ui.input-injection').gap]).toEqual(['narrower', 'narrower']);
  });

  it.each([
    ['0s', 1],
    ['90s', 90_000],
    ['999999d', 2 ** 32 - 1],
  ])('a time limit of %s is %d ms on the wire, where 0 would mean none', (timeout, ms) => {
    expect(plan({ limit: { resources: { timeout } } }).request.timeoutMs).toBe(ms);
  });
});
