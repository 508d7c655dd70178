import { describe, expect, it } from 'vitest';
import { applied, documentOf, resolved } from './_small-world.ts';
import { prepareFloor } from './document/prepare.ts';
import type { PolicyDocument } from './document/schema.ts';
import type { EffectivePolicy, Subject } from './effective.ts';

const subject: Subject = { agent: { id: 'x', proof: 'proven' }, user: 'u', os: 'linux' };
const of = (...specs: PolicyDocument['spec'][]): EffectivePolicy =>
  resolved(
    specs.map((spec, i) => applied(i, documentOf(`p${i}`, spec))),
    subject,
  );
const floorWith = (spec: PolicyDocument['spec']) => prepareFloor(documentOf('floor', spec), 1);

describe('the strictest statement counts', () => {
  it('for resources, with who made it', () => {
    const { resources } = of(
      { limit: { resources: { timeout: '8h', memory: '4GiB', processes: 512 } } },
      { limit: { resources: { timeout: '30m', memory: '8GiB', cpu: 2 } } },
    );
    expect([resources.timeoutMs?.value, resources.memoryBytes?.value, resources.cpus?.value, resources.processes?.value]).toEqual([
      1_800_000,
      4 * 1024 ** 3,
      2,
      512,
    ]);
    expect([resources.timeoutMs?.origin.policy, resources.memoryBytes?.origin.policy]).toEqual(['p1', 'p0']);
  });

  it('for isolation, grace, uncontained agents and privacy', () => {
    const { settings } = of(
      { limit: { isolation: 'session' }, grace: '10m', uncontained: 'report', privacy: { paths: 'folder' } },
      { limit: { isolation: 'process' }, grace: '0s', uncontained: 'stop', privacy: { paths: 'full', hosts: 'none' } },
    );
    expect(settings).toMatchObject({
      isolation: { value: 'session' },
      graceMs: 0,
      uncontained: 'stop',
      privacy: { paths: 'folder', hosts: 'none', users: 'full' },
    });
  });

  it('for expiry; going on for ever needs the word of the floor', () => {
    expect(of({}).settings.onExpiry).toBe('tighten');
    expect(of({ onExpiry: 'hold' }).settings.onExpiry).toBe('tighten');
    expect(of({ onExpiry: 'hold' }, { onExpiry: 'stop' }).settings.onExpiry).toBe('stop');
    const policies = [applied(1, documentOf('p', { onExpiry: 'hold' }))];
    expect(resolved(policies, subject, floorWith({ onExpiry: 'hold' })).settings.onExpiry).toBe('hold');
    expect(resolved(policies, subject, floorWith({})).settings.onExpiry).toBe('tighten');
  });

  it('for what is required: each policy that says nothing demands files and hosts', () => {
    expect(of({ required: [] }).required).toEqual([]);
    expect(of({ required: [] }, {}).required).toEqual(['filesystem.read', 'filesystem.write', 'network.hosts']);
    expect(of({ required: ['ui.clipboard'] }, { required: ['isolation'] }).required).toEqual(['isolation', 'ui.clipboard']);
  });
});
