import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureDeviceKey, loadDeviceKey } from './device-key.ts';
import { loadEnrollment, requireEnrollment, saveEnrollment, type Enrollment } from './enrollment.ts';

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-identity-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('the device key', () => {
  it('is made once, and the same from then on', () => {
    const key = ensureDeviceKey(folder, new Date());
    expect(ensureDeviceKey(folder, new Date()).kid).toBe(key.kid);
    expect(loadDeviceKey(folder).kid).toBe(key.kid);
    expect(fs.statSync(path.join(folder, 'device-key')).mode & 0o777).toBe(0o600);
    expect(fs.readFileSync(path.join(folder, 'device-key'), 'utf8')).not.toContain(key.jwk.x);
  });

  it('knows when it was made; one from before that was kept is as old as its file', () => {
    const at = new Date('2026-01-02T03:04:05.678Z');
    expect(ensureDeviceKey(folder, at).madeAt).toEqual(at);
    const file = path.join(folder, 'device-key');
    const seed = fs.readFileSync(file, 'utf8').split('\n')[0] ?? '';
    fs.writeFileSync(file, seed);
    fs.utimesSync(file, at, new Date('2025-05-05T05:05:05.000Z'));
    expect(loadDeviceKey(folder).madeAt).toEqual(new Date('2025-05-05T05:05:05.000Z'));
  });

  it('that is missing, readable by others or damaged is not used', () => {
    expect(() => loadDeviceKey(folder)).toThrow(expect.objectContaining({ code: 'identity.key' }));
    ensureDeviceKey(folder, new Date());
    const file = path.join(folder, 'device-key');
    for (const mode of [0o640, 0o604, 0o620, 0o777]) {
      fs.chmodSync(file, mode);
      expect(() => loadDeviceKey(folder), mode.toString(8)).toThrow(expect.objectContaining({ code: 'identity.key' }));
    }
    fs.chmodSync(file, 0o600);
    for (const content of [
      '',
      'short',
      'A'.repeat(44),
      `${'A'.repeat(43)}\n${'A'.repeat(43)}`,
      `${'A'.repeat(43)}\n2026-13-01T00:00:00.000Z`,
    ]) {
      fs.writeFileSync(file, content);
      expect(() => loadDeviceKey(folder), content).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(identity\.key|key\.refused)$/) as unknown }),
      );
    }
  });
});

describe('the enrollment', () => {
  const enrollment: Enrollment = {
    server: 'https://cordon.example',
    org: 'org_1',
    device: `dev_${'x'.repeat(16)}`,
    memberIndex: 3,
    fingerprint: 'f',
    roots: ['r'],
    floor: 'f',
  };

  it('is what was saved', () => {
    expect(loadEnrollment(folder)).toBe(undefined);
    saveEnrollment(folder, enrollment);
    expect(loadEnrollment(folder)).toEqual(enrollment);
    expect(requireEnrollment(folder)).toEqual(enrollment);
    expect(fs.statSync(path.join(folder, 'enrollment.json')).mode & 0o777).toBe(0o600);
  });

  it('that is missing says how to get one; one that is damaged is not taken for none', () => {
    expect(() => requireEnrollment(folder)).toThrow(expect.objectContaining({ code: 'enroll.missing' }));
    for (const content of [
      '',
      '{',
      'null',
      '{}',
      JSON.stringify({ ...enrollment, memberIndex: -1 }),
      JSON.stringify({ ...enrollment, device: '../x' }),
      JSON.stringify({ ...enrollment, more: 1 }),
      JSON.stringify({ ...enrollment, check: '0'.repeat(16) }),
    ]) {
      fs.writeFileSync(path.join(folder, 'enrollment.json'), content);
      expect(() => requireEnrollment(folder), content).toThrow(expect.objectContaining({ code: 'enroll.damaged' }));
    }
  });
});
