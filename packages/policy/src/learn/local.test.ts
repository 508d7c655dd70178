import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { createDecider } from '../decide/decider.ts';
import { parsePolicy } from '../document/parse.ts';
import { preparePolicy } from '../document/prepare.ts';
import type { PathVariables } from '../effective.ts';
import { parseManifest } from '../manifest/parse.ts';
import { resolve } from '../resolve.ts';
import type { RecordedAccess } from '../simulate/recorded.ts';
import { learnLocally } from './local.ts';

const variables: PathVariables = {
  home: '/home/ada',
  workspace: '/home/ada/project',
  tmp: '/tmp',
  tools: ['/usr/local'],
  agent: [],
};
const who = { device: 'this', agent: 'unknown', osUser: 'ada', os: 'linux' } as const;
const read = (path: string): RecordedAccess => ({ kind: 'file', ...who, path, access: 'read' });
const write = (path: string): RecordedAccess => ({ kind: 'file', ...who, path, access: 'write' });
const connect = (host: string, verdict: 'allowed' | 'denied', code?: string): RecordedAccess => ({
  kind: 'egress',
  ...who,
  host,
  port: 443,
  verdict,
  ...(code !== undefined && { code }),
});
const propose = (used: readonly RecordedAccess[], refused: readonly RecordedAccess[]) =>
  learnLocally({ name: 'weather', used, refused, variables });

describe('what one run shows', () => {
  it('is a manifest that requires what was used, and a policy that gives what was refused', () => {
    const { manifest, manifestText, policyText } = propose(
      [
        read('/usr/local/bin/node'),
        write('/home/ada/project/out.txt'),
        connect('api.weather.example', 'allowed'),
        read('/usr/lib/libc.so'),
      ],
      [read('/home/ada/notes/today.md'), connect('telemetry.example.com', 'denied', 'egress.denied')],
    );
    expect(manifest.needs).toEqual({
      required: {
        filesystem: { read: ['${tools}/bin/node'], write: ['${workspace}/out.txt'] },
        network: { hosts: [{ host: 'api.weather.example', ports: [443] }] },
      },
      optional: { filesystem: { read: ['${home}/notes/today.md'] }, network: { hosts: [{ host: 'telemetry.example.com', ports: [443] }] } },
    });
    expect(parseManifest(manifestText).document).toEqual(manifest);
    expect(parsePolicy(policyText ?? '').document.spec.allow).toEqual(manifest.needs.optional);
  });

  it('never asks for what no policy can grant, whatever was tried', () => {
    const { manifest, policyText, withheld } = propose(
      [],
      [read('/home/ada/.ssh/id_ed25519'), write('/home/ada/.bashrc'), read('/home/ada')],
    );
    expect(manifest.needs).toEqual({});
    expect(policyText).toBeUndefined();
    expect(withheld.map(({ reason }) => reason)).toEqual(['never-granted', 'never-written', 'too-wide']);
  });

  it('says by name when a private host was refused', () => {
    const { manifest } = propose([], [connect('git.corp.example', 'denied', 'egress.private')]);
    expect(manifest.needs.optional?.network?.hosts).toEqual([{ host: 'git.corp.example', ports: [443], private: true }]);
  });

  const names = fc.constantFrom('a', 'b', 'c', 'notes', '.ssh', '.bashrc', 'project', 'x y');
  const paths = fc
    .tuple(fc.constantFrom('/home/ada', '/home/ada/project', '/usr/local', '/opt/data', '/home/eve'), fc.array(names, { maxLength: 3 }))
    .map(([base, rest]) => [base, ...rest].join('/'));
  const accesses = fc.array(
    fc.oneof(
      paths.map(read),
      paths.map(write),
      fc.constantFrom('a.example.com', 'b.example.com', 'c.test.org').map((host) => connect(host, 'denied', 'egress.denied')),
    ),
    { maxLength: 30 },
  );
  it('gives texts that are understood, and a policy that allows nothing that is never granted', () =>
    fc.assert(
      fc.property(accesses, accesses, (used, refused) => {
        const { manifest, manifestText, policyText } = propose(used, refused);
        expect(parseManifest(manifestText).document).toEqual(manifest);
        if (policyText === undefined) return;
        const prepared = preparePolicy({
          policy: 'pol_1',
          name: 'weather',
          revision: 1,
          document: parsePolicy(policyText).document,
          because: [],
        });
        const decider = createDecider(
          resolve({
            policies: [prepared],
            floor: undefined,
            subject: { agent: { id: 'unknown', proof: 'proven' }, user: 'ada', os: 'linux' },
            variables,
          }),
        );
        for (const path of ['/home/ada/.ssh/id', '/home/eve/.ssh/id']) expect(decider.paths.allows(path, 'read')).toBe(false);
        expect(decider.paths.allows('/home/ada/.bashrc', 'write')).toBe(false);
      }),
      { numRuns: LAW_RUNS },
    ));
});
