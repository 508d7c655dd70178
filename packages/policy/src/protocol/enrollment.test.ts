import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { keyNamed } from '../trust/_world.ts';
import { DeviceFacts, DeviceJwk, EnrollChallengeRequest, EnrollRequest, Id, RootReply, SessionRequest } from './enrollment.ts';

const { jwk } = keyNamed('device');
const ID = `dev_${'a'.repeat(22)}`;
const facts = {
  name: 'laptop',
  os: 'linux',
  osVersion: '6.18',
  arch: 'x64',
  agentVersion: '0.1.0',
  assurance: 'system',
  language: 'cordon/v1',
};
const check = (schema: TSchema, value: unknown): boolean => Compile(schema).Check(value);

describe('messages of enrollment', () => {
  it.each([
    ['a key', DeviceJwk, jwk],
    ['facts', DeviceFacts, facts],
    ['a challenge', EnrollChallengeRequest, { token: ID, jwk }],
    ['an enrollment', EnrollRequest, { jwk, statement: '{}' }],
    ['a session', SessionRequest, { device: ID, proof: 'a.b.c' }],
    ['a root', RootReply, { org: 'org_a', roots: ['{}'], floor: '{}' }],
  ] as const)('%s is accepted, and refused with an unknown member or without one of its own', (_what, schema, value) => {
    expect(check(schema, value)).toBe(true);
    expect(check(schema, { ...value, zzz: 1 })).toBe(false);
    for (const name of Object.keys(value)) expect(check(schema, { ...value, [name]: undefined })).toBe(false);
  });

  it.each<readonly [what: string, change: object]>([
    ['a private part', { d: jwk.x }],
    ['a kid', { kid: 'x' }],
    ['another curve', { crv: 'P-256' }],
    ['padding', { x: `${jwk.x}=` }],
    ['a longer key', { x: `${jwk.x}A` }],
    ['an end of line', { x: `${jwk.x.slice(0, -1)}\n` }],
  ])('a key with %s is refused', (_what, change) => {
    expect(check(DeviceJwk, { ...jwk, ...change })).toBe(false);
  });

  it.each<readonly [what: string, change: object]>([
    ['no name', { name: '' }],
    ['a name beyond all lines', { name: 'x'.repeat(129) }],
    ['another operating system', { os: 'plan9' }],
    ['another assurance', { assurance: 'root' }],
    ['another language', { language: 'cordon/v2' }],
  ])('facts with %s are refused', (_what, change) => {
    expect(check(DeviceFacts, { ...facts, ...change })).toBe(false);
  });

  it.each([
    '',
    'dev_',
    `dev_${'a'.repeat(15)}`,
    `dev_${'a'.repeat(44)}`,
    `DEV_${'a'.repeat(22)}`,
    `dev-${'a'.repeat(22)}`,
    `${ID}\n`,
    `../${ID}`,
    `dev_${'ä'.repeat(22)}`,
  ])('%j is no id', (text) => {
    expect(check(Id, text)).toBe(false);
  });
});
