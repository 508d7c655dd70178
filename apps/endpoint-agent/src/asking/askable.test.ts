import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { createDecider } from '@cordon/policy/decide/decider.ts';
import { prepareFloor, preparePolicy } from '@cordon/policy/document/prepare.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import type { EffectivePolicy, PathVariables } from '@cordon/policy/effective.ts';
import { enclose } from '@cordon/policy/enclosure.ts';
import { applyManifest } from '@cordon/policy/manifest/apply.ts';
import { resolve } from '@cordon/policy/resolve.ts';
import { policyText } from '../../tests/_policy.ts';
import { explainBy } from '../runs/why.ts';
import { requireAskable } from './askable.ts';
import { plain } from './asking.ts';

const variables: PathVariables = { home: '/home/dev', workspace: '/home/dev/project', tmp: '/tmp', tools: [], agent: [] };
const effectiveOf = (spec: string, floor?: string): EffectivePolicy =>
  resolve({
    policies: [preparePolicy({ policy: 'pol_a', name: 'a', revision: 1, document: parsePolicy(policyText(spec)).document, because: [] })],
    floor: floor === undefined ? undefined : prepareFloor(parsePolicy(policyText(floor)).document, 1),
    subject: { agent: { id: 'unknown', proof: 'claimed' }, user: 'dev', os: 'linux' },
    variables,
  });
/** What becomes of a request. */
const asking = (effective: EffectivePolicy, target: string, access: 'read' | 'write' = 'read'): string => {
  const decider = createDecider(effective);
  try {
    requireAskable(decider, explainBy(decider, { target, access, cwd: '/home/dev/project' }, '/home/dev'));
    return 'asked';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

const SPEC =
  'allow: { network: { hosts: [{ host: good.example }] }, filesystem: { read: [/opt/data] } }\ndeny: { network: { hosts: [{ host: bad.example }] } }';

describe('what can be asked for', () => {
  it('is what no rule allows, or a policy denies', () => {
    const effective = effectiveOf(SPEC);
    expect(asking(effective, 'other.example')).toBe('asked');
    expect(asking(effective, 'bad.example')).toBe('asked');
    expect(asking(effective, '/srv/data')).toBe('asked');
    expect(asking(effective, '/opt/data/x', 'write')).toBe('asked');
    expect(asking(effective, './x', 'write')).toBe('asked');
    expect(asking(effective, 'good.example')).toBe('request.allowed');
  });

  it('is nothing that is protected everywhere, whatever else is said about it', () => {
    const effective = effectiveOf(`${SPEC}\nlimit: { filesystem: { read: [/opt] } }`);
    for (const target of ['~/.ssh/id_ed25519', '/home/dev/.aws/credentials', '/run/docker.sock', '/etc/shadow'])
      expect([target, asking(effective, target)]).toEqual([target, 'request.never']);
    expect(asking(effective, '~/.bashrc', 'write')).toBe('request.never');
  });

  it('is nothing that the floor denies or leaves out, also where a policy denies it too', () => {
    const floor = 'deny: { network: { hosts: [{ host: bad.example }] } }\nlimit: { filesystem: { write: ["${workspace}"] } }';
    const effective = effectiveOf(SPEC, floor);
    expect(asking(effective, 'bad.example')).toBe('request.never');
    expect(asking(effective, '/opt/data/x', 'write')).toBe('request.never');
    expect(asking(effective, 'other.example')).toBe('asked');
  });

  it('is nothing that only the manifest or the outer run leaves out', () => {
    const manifest = { apiVersion: 'cordon/v1', kind: 'AgentManifest', metadata: { name: 'm' }, needs: {} } as const;
    expect(asking(applyManifest(effectiveOf(SPEC), manifest, variables), 'good.example')).toBe('request.manifest');
    expect(asking(enclose(effectiveOf(SPEC), effectiveOf('allow: {}')), 'good.example')).toBe('request.parent');
  });

  it('is nothing where nothing starts', () => {
    expect(asking(effectiveOf(`${SPEC}\ndeny: { run: true }`.replace(/\ndeny: \{ network[^\n]*/, '')), 'other.example')).toBe(
      'request.refused',
    );
  });
});

describe('a reason', () => {
  it('is one line of letters that are seen, whatever was written', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
        const line = plain(text);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(line.length).toBeLessThanOrEqual(500);
        expect(plain(line)).toBe(line.trim());
      }),
      { numRuns: LAW_RUNS },
    ));
});
