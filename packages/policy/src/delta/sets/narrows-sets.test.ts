import { describe, expect, it } from 'vitest';
import { policyOf } from '../../_arbitrary-policy.ts';
import { prepareFloor, preparePolicy } from '../../document/prepare.ts';
import type { AppliedPolicy } from '../../effective.ts';
import { narrowsSets } from './narrows-sets.ts';
import type { PolicySet } from './subjects.ts';

type Spec = AppliedPolicy['document']['spec'];
const set = (...specs: readonly Spec[]): PolicySet => ({
  policies: specs.map((spec, i) => preparePolicy(policyOf(i, spec))),
  floor: undefined,
});
const floored = ({ policies }: PolicySet, spec: Spec): PolicySet => ({ policies, floor: prepareFloor(policyOf(0, spec).document, 1) });
const verdict = (a: PolicySet, b: PolicySet): string => {
  const result = narrowsSets(a, b);
  return result.verdict === 'no' ? `no: ${result.witness.gain.category} ${result.witness.gain.target}` : result.verdict;
};

const all: Spec = { allow: { filesystem: { read: ['/srv'], write: ['${workspace}'] }, network: { hosts: [{ host: '*' }] } } };

describe('a set of policies against another', () => {
  it('is narrower with a smaller allow, a wider deny, one more limit, or a stricter statement', () => {
    expect(verdict(set(all), set({ allow: { filesystem: { write: ['${workspace}/src'] } } }))).toBe('yes');
    expect(
      verdict(
        set({ ...all, deny: { filesystem: { write: ['${workspace}/.git/hooks'] } } }),
        set({ ...all, deny: { filesystem: { access: ['${workspace}/.git'] } } }),
      ),
    ).toBe('yes');
    expect(verdict(set(all), set({ ...all, limit: { filesystem: { write: ['${tmp}'] }, isolation: 'vm' }, onExpiry: 'stop' }))).toBe('yes');
    expect(verdict(set(all), floored(set(all), { deny: { network: { hosts: [{ host: '*.pastebin.com' }] } } }))).toBe('yes');
  });

  it('is narrower when a policy that allows nothing is enforced and was audited', () => {
    const audited: Spec = { mode: 'audit', deny: { filesystem: { access: ['/srv/a'] } } };
    expect(verdict(set(all, audited), set(all, { ...audited, mode: 'enforce' }))).toBe('yes');
  });

  it('is not narrower when a policy that was enforced is audited', () => {
    const enforced: Spec = { deny: { filesystem: { access: ['/srv/a'] } }, required: [] };
    expect(verdict(set(all, enforced), set(all, { ...enforced, mode: 'audit' }))).toBe('no: filesystem.read /srv/a');
  });

  it('is not narrower with a narrower match of a deny: who is no longer meant gains', () => {
    const deny: Spec = { deny: { network: { hosts: [{ host: '*.pastebin.com' }] } } };
    const everyone = set(all, deny);
    const result = narrowsSets(everyone, set(all, { ...deny, match: { agents: ['codex'], users: ['ann'], os: ['linux'] } }));
    expect(result).toMatchObject({ verdict: 'no', witness: { gain: { category: 'network.host', target: '*.pastebin.com:443' } } });
    expect(verdict(everyone, set(all, { ...deny, match: { users: ['*'] } }))).toBe('yes');
  });

  it('is not narrower with a wider match of an allow', () => {
    const only = (agents: string[]): PolicySet => set({ ...all, match: { agents } });
    expect(verdict(only(['codex']), only(['codex', 'claude-code']))).toBe('no: launch claude-code');
    expect(verdict(only(['codex', 'claude-code']), only(['codex']))).toBe('yes');
  });

  it('is not narrower when a part of the floor is dropped', () => {
    const floor: Spec = { deny: { network: { hosts: [{ host: '*.pastebin.com' }] } }, onExpiry: 'stop' };
    expect(verdict(floored(set(all), floor), floored(set(all), { onExpiry: 'stop' }))).toBe('no: network.host *.pastebin.com:443');
    expect(verdict(floored(set(all), floor), floored(set(all), { deny: { ...floor.deny } }))).toBe('no: expiry onExpiry');
    expect(verdict(floored(set(all), floor), set(all))).toMatch(/^no/);
  });

  it('is not narrower when a statement that nothing else makes up for is softened', () => {
    expect(verdict(set({ ...all, grace: '0s' }), set({ ...all, grace: '5m' }))).toBe('no: grace grace');
    expect(verdict(set({ ...all, required: ['isolation'] }), set({ ...all, required: [] }))).toBe('no: required isolation');
    expect(verdict(set({ ...all, grace: '0s' }, { grace: '0s' }), set({ ...all, grace: '5m' }, { grace: '0s' }))).toBe('yes');
  });

  it('is not narrower where a workspace may be a folder that was denied as one', () => {
    const before: Spec = { ...all, deny: { workspaces: ['/data'] } };
    expect(narrowsSets(set(before), set(all))).toMatchObject({
      verdict: 'no',
      witness: { variables: { workspace: '/data' }, gain: { category: 'filesystem.write', target: '/data' } },
    });
  });

  it('finds the home or workspace in which a dropped rule mattered', () => {
    const before: Spec = { allow: { filesystem: { read: ['${home}/src'] } }, deny: { filesystem: { access: ['/data/keys'] } } };
    expect(narrowsSets(set(before), set({ allow: { filesystem: { read: ['${home}/src'] } } }))).not.toMatchObject({ verdict: 'yes' });
    const inWorkspace: Spec = { allow: { filesystem: { read: ['${workspace}'] } }, deny: { filesystem: { access: ['/data/keys'] } } };
    expect(narrowsSets(set(inWorkspace), set({ allow: { filesystem: { read: ['${workspace}'] } } }))).toMatchObject({
      verdict: 'no',
      witness: { variables: { workspace: '/data/keys' } },
    });
  });

  it('is undecided where it depends on where a home lies', () => {
    const before: Spec = { allow: { filesystem: { read: ['/srv/share'] } }, deny: { filesystem: { access: ['${home}/x'] } } };
    const result = narrowsSets(set(before), set({ allow: { filesystem: { read: ['/srv/share'] } } }));
    expect(result).toMatchObject({ verdict: 'undecided' });
  });

  it('is proven for what is left of an allow within limits', () => {
    const before: Spec = { allow: { filesystem: { write: ['${home}/src/a', '${home}/src/b'] } } };
    const within = (write: string[]): PolicySet =>
      set({ allow: { filesystem: { write: ['${home}/src'] } }, limit: { filesystem: { write } } });
    expect(
      verdict(set({ ...before, allow: { filesystem: { read: ['${home}/src'], ...before.allow?.filesystem } } }), within(['${home}/src/a'])),
    ).toBe('yes');
    expect(verdict(set(before), within(['${home}/src/a', '${home}/src/c']))).toBe('no: filesystem.write /home/someone/src/c');
  });

  it('is not deceived by a rule that names the roots with which it reasons', () => {
    const evil = '/\uE000home/x';
    const before: Spec = { allow: { filesystem: { read: [evil] } } };
    expect(verdict(set(before), set({ allow: { filesystem: { read: ['${home}/x'] } } }))).toMatch(/^no/);
    const wide: Spec = { allow: { filesystem: { read: ['/\uE000home'] } } };
    expect(verdict(set(wide), set({ allow: { filesystem: { read: ['${home}/x'] } } }))).toMatch(/^no/);
  });

  it('is undecided where a rule means nothing on one of the systems', () => {
    const odd: Spec = { allow: { filesystem: { read: ['${home}/a:b'] } } };
    expect(verdict(set(odd), set(odd))).toBe('undecided');
    expect(verdict(set({ ...odd, match: { os: ['linux'] } }), set({ ...odd, match: { os: ['linux'] } }))).toBe('yes');
  });

  it('is the same for the same set with other ids, and for nothing', () => {
    expect(verdict(set(all), { policies: [preparePolicy(policyOf(7, all))], floor: undefined })).toBe('yes');
    expect(verdict(set(), set())).toBe('yes');
    expect(verdict(set(all), set())).toBe('yes');
    expect(verdict(set(), set(all))).toMatch(/^no: launch/);
  });
});
