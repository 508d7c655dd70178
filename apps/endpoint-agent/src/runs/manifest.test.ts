import { describe, expect, it } from 'vitest';
import type { EffectivePolicy, Subject } from '@cordon/policy/effective.ts';
import type { AgentManifest, Needs } from '@cordon/policy/manifest/schema.ts';
import { effectiveOf } from '../../tests/_policy.ts';
import { claimedBy, readManifest, requireNeeds, underManifest } from './manifest.ts';

const ACCOUNT = { name: 'dev', uid: 1000, gid: 1000, home: '/home/dev' };
const manifestOf = (required: Needs, agent?: string): AgentManifest => ({
  apiVersion: 'cordon/v1',
  kind: 'AgentManifest',
  metadata: { name: 'weather', ...(agent !== undefined && { agent }) },
  needs: { required },
});
const as = (id: string, proof: 'proven' | 'claimed'): Subject => ({ agent: { id, proof }, user: 'dev', os: 'linux' });
const policy = (agent: Subject['agent']): EffectivePolicy => ({
  ...effectiveOf('allow: { environment: [LANG] }'),
  subject: { agent, user: 'dev', os: 'linux' },
});
const refusal = (effective: EffectivePolicy, manifest: AgentManifest | undefined): unknown => {
  try {
    requireNeeds(effective, manifest, '/', ACCOUNT);
    return undefined;
  } catch (error) {
    return error;
  }
};

describe('whose manifest it is', () => {
  it('counts as a claim where neither the program nor the caller says more', () => {
    const manifest = manifestOf({}, 'weather-bot');
    expect(claimedBy(manifest, as('unknown', 'claimed'), undefined).agent).toEqual({ id: 'weather-bot', proof: 'claimed' });
    expect(claimedBy(manifest, as('other', 'claimed'), 'other').agent).toEqual({ id: 'other', proof: 'claimed' });
    expect(claimedBy(manifest, as('codex', 'proven'), undefined).agent).toEqual({ id: 'codex', proof: 'proven' });
    expect(claimedBy(manifestOf({}), as('unknown', 'claimed'), undefined).agent.id).toBe('unknown');
    expect(claimedBy(undefined, as('unknown', 'claimed'), undefined).agent.id).toBe('unknown');
  });

  it('of another program than the one that is proven is refused', () => {
    const manifest = manifestOf({}, 'weather-bot');
    expect(refusal(policy({ id: 'codex', proof: 'proven' }), manifest)).toMatchObject({ code: 'launch.manifest-agent' });
    expect(refusal(policy({ id: 'weather-bot', proof: 'proven' }), manifest)).toBeUndefined();
    expect(refusal(policy({ id: 'codex', proof: 'claimed' }), manifest)).toBeUndefined();
  });
});

describe('what it requires', () => {
  const agent = { id: 'unknown', proof: 'claimed' } as const;

  it('is granted or the run is refused, and a long list is counted', () => {
    expect(refusal(policy(agent), manifestOf({ environment: ['LANG'] }))).toBeUndefined();
    const names = ['ONE', 'TWO', 'THREE', 'FOUR', 'FIVE', 'SIX', 'SEVEN'];
    expect(refusal(policy(agent), manifestOf({ environment: names }))).toMatchObject({
      code: 'launch.need-unmet',
      message: expect.stringMatching(/environment ONE .*environment FIVE .*; and 2 more\. /) as string,
    });
  });

  it('is no question where there is no manifest, or where nothing starts anyway', () => {
    expect(refusal(policy(agent), undefined)).toBeUndefined();
    const denied = { ...policy(agent), refused: { code: 'launch.denied', message: 'no' } };
    expect(refusal(denied, manifestOf({ environment: ['TOKEN'] }))).toBeUndefined();
  });

  it('does not change what is granted: without a manifest the policy stays itself', async () => {
    const effective = policy(agent);
    expect(underManifest(effective, undefined, '/', ACCOUNT)).toBe(effective);
    expect(underManifest(effective, manifestOf({}), '/', ACCOUNT).environmentLimits).toHaveLength(1);
    expect(await readManifest(undefined)).toBeUndefined();
    await expect(readManifest('{')).rejects.toMatchObject({ code: 'manifest.invalid' });
  });
});
