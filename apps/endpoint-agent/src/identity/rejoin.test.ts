import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { after, createWorld, DAY } from '@cordon/policy/trust/_world.ts';
import { lockState } from '../lock.ts';
import type { Enrollment } from './enrollment.ts';
import { checkGoesOn, checkSameOrganisation, withoutDaemon } from './rejoin.ts';

const world = await createWorld('org_again');
const other = await createWorld('org_other');
const already: Enrollment = {
  server: 'https://cordon.example',
  org: world.org,
  device: 'dev_0',
  memberIndex: 0,
  fingerprint: world.fingerprint,
  roots: [...world.roots],
  floor: world.floor,
};

describe('a device that joins its organisation again', () => {
  it('stays with the organisation that it has', () => {
    expect(() => checkSameOrganisation(already, world.fingerprint)).not.toThrow();
    expect(() => checkSameOrganisation(already, other.fingerprint)).toThrow(expect.objectContaining({ code: 'enroll.already' }));
  });

  it('believes no server whose roots do not go on from those that it holds', async () => {
    await checkGoesOn(already, { roots: [...world.roots], floor: world.floor }, after(DAY));
    for (const roots of [[], other.roots])
      await expect(checkGoesOn(already, { roots: [...roots], floor: other.floor }, after(DAY))).rejects.toMatchObject({
        code: 'enroll.roots',
      });
    await expect(
      checkGoesOn({ ...already, roots: [...world.roots, 'newer'] }, { roots: [...world.roots], floor: world.floor }, after(DAY)),
    ).rejects.toMatchObject({ code: 'enroll.roots' });
  });

  it('does so while no daemon runs as the device that it was', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-again-'));
    onTestFinished(() => fs.rmSync(folder, { recursive: true }));
    const daemon = lockState(folder);
    await expect(withoutDaemon(folder, async () => 'joined')).rejects.toMatchObject({ code: 'daemon.already-running' });
    daemon.release();
    expect(await withoutDaemon(folder, async () => 'joined')).toBe('joined');
    lockState(folder).release();
  });
});
