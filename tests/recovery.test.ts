/**
 * Each loss that an installation can suffer, rehearsed: a real control plane, ceremonies by `cordonctl`, devices that verify. Afterwards the fleet goes on, nobody
 * is bricked, and at no moment was anything looser than what had been in force.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { enroll } from '../apps/endpoint-agent/src/identity/enroll.ts';
import { someFacts } from '../apps/control-plane/tests/_util.ts';
import { cordonctl, createDatabase, ctl, join, makeFolder, start, urlOf, wake, type Site } from './_fleet.ts';
import { hosts, loosen, neverLooser, publish, reach, running, type Organisation } from './_recovery.ts';

const environment = ({ stateDir, owner }: Site): Record<string, string> => ({ CORDON_STATE: stateDir, DATABASE_URL: urlOf(owner) });
/** What `cordonctl recover` sees. */
const recover = async ({ site, at }: Organisation): Promise<{ readonly status: number; readonly code: string; readonly sees: string }> => {
  const { status, stdout, stderr } = await cordonctl(['recover', '--json', '--out', at('found')], environment(site));
  expect(stderr).toBe('');
  return { status, ...(JSON.parse(stdout) as { code: string; sees: string }) };
};
const onServer = async ({ site }: Organisation, ...args: readonly string[]): Promise<string> => {
  const said = await cordonctl(args, environment(site));
  expect(said, said.stderr).toMatchObject({ status: 0 });
  return said.stdout;
};
const two = ({ at }: Organisation): string[] => ['--with', at('org/root-1.key'), '--with', at('org/root-2.key')];
const raise = (organisation: Organisation, from: string, to: string): Promise<string> =>
  ctl('keys', 'raise-epoch', '--organisation', organisation.file(from), ...two(organisation), '--out', organisation.at(to));

interface Entry {
  readonly seq: number;
  readonly action: string;
  readonly hash: string;
  readonly detail: Record<string, unknown>;
}

describe("yesterday's database", () => {
  it(
    'put back under a signer that knows better: it refuses, the root raises the epoch, the log names its gap, and the fleet goes on',
    { timeout: 180_000 },
    async () => {
      const organisation = await running();
      const { site, devices, at } = organisation;
      await organisation.plane.close();
      const yesterday = await createDatabase(site.owner);
      const today = await start(site);
      await loosen(today, organisation, 2);
      await loosen(today, organisation, 3);
      for (const device of devices) await reach(device, 3);
      const [newest] = (await today.ask<{ items: Entry[] }>('GET', '/audit?limit=1')).items;
      await today.close();

      await neverLooser(devices, 3, async () => {
        site.owner = yesterday;
        await expect(start(site)).rejects.toMatchObject({ code: 'signer.rollback' });
        expect(await recover(organisation)).toMatchObject({ status: 1, code: 'restore-unnoted' });
        await onServer(organisation, 'restore', '--noted', '--audit-head', `${newest?.seq}:${newest?.hash}`);
        expect(await recover(organisation)).toMatchObject({ status: 1, code: 'epoch-closed' });
        await expect(start(site)).rejects.toMatchObject({ code: 'signer.rollback' });
        await raise(organisation, 'org', 'v2');
        const after = await start(site, at('v2/server'));
        for (const device of devices) await reach(device, 1, 1);
        // Every device is ahead of what the database knows of its sessions: that is the restore, and no copy of a device.
        expect(await after.context.prisma.deviceJoin.count({ where: { finding: { not: null } } })).toBe(0);
        const { items } = await after.ask<{ items: Entry[] }>('GET', '/audit?action=organisation.restore');
        const [entry] = items;
        expect(entry?.detail).toMatchObject({
          backup: null,
          head: { seq: (entry?.seq ?? 0) - 1 },
          before: { seq: newest?.seq, hash: newest?.hash },
          lost: (newest?.seq ?? 0) - (entry?.seq ?? 0) + 1,
        });
        await loosen(after, organisation, 2);
        for (const device of devices) await reach(device, 2, 1);
        expect((await recover(organisation)).code).toBe('whole');
      });
    },
  );
});

describe('a machine that is gone', () => {
  it(
    'comes back from a backup that was taken while it ran; tokens have ended, and a device of later days keeps enforcing until it has joined again',
    { timeout: 180_000 },
    async () => {
      const organisation = await running();
      const { site, plane, devices, at } = organisation;
      const secret = at('backup-passphrase');
      fs.writeFileSync(secret, randomBytes(24).toString('base64url'), { mode: 0o600 });
      const { token: unused } = await plane.ask<{ token: string }>('POST', '/enrollment-tokens', { name: 'unused' });
      expect(await onServer(organisation, 'backup', '--out', at('backup'), '--passphrase', secret)).toContain('audit head');
      const late = await join(plane, 'late');
      await loosen(plane, organisation, 2);
      for (const device of [...devices, late]) await reach(device, 2);
      await plane.close();

      const before = { url: plane.deviceUrl, token: plane.ownerToken };
      const there = {
        ...organisation,
        site: { stateDir: path.join(makeFolder(), 'state'), port: site.port, owner: await createDatabase() },
      };
      await neverLooser([...devices, late], 2, async () => {
        expect((await recover(there)).code).toBe('nothing-here');
        await onServer(there, 'restore', '--from', at('backup'), '--passphrase', secret, '--verify');
        await onServer(there, 'restore', '--from', at('backup'), '--passphrase', secret);
        await expect(start(there.site)).rejects.toMatchObject({ code: 'signer.rollback' });
        expect((await recover(there)).code).toBe('epoch-closed');
        await raise(there, 'org', 'v2');
        const after = await start(there.site, at('v2/server'));
        for (const device of devices) await reach(device, 1, 1);
        const stranger = await after.listeners.admin.app.inject({
          url: '/api/v1/devices',
          headers: { authorization: `Bearer ${before.token}` },
        });
        expect(stranger.statusCode).toBe(401);
        const joining = { server: before.url, facts: someFacts('x'), now: new Date() };
        await expect(enroll({ ...joining, stateDir: makeFolder(), token: unused })).rejects.toMatchObject({
          code: expect.stringMatching(/^enroll\./) as unknown,
        });

        // Unknown to the restored database: refused, and bound as before.
        await expect.poll(() => late.said.some((line) => line.includes('the session was refused')), { timeout: 60_000 }).toBe(true);
        expect(hosts(late)).toBe(2);
        await late.stop();
        // In the new epoch nobody has approved anything: those that were there keep what they have, and one that joins gets nothing until somebody has.
        expect((await recover(there)).code).toBe('approve-once');
        await publish(after, there, 'as before the restore');
        expect((await recover(there)).code).toBe('whole');
        const { token } = await after.ask<{ token: string }>('POST', '/enrollment-tokens', { name: 'again' });
        await expect(enroll({ ...joining, stateDir: late.stateDir, token })).rejects.toMatchObject({ code: 'enroll.already' });
        await enroll({ ...joining, stateDir: late.stateDir, token, again: true });
        const again = await wake(late.stateDir);
        await reach(again, 1, 1);
        expect(again.id).not.toBe(late.id);

        await loosen(after, there, 2);
        for (const device of [...devices, again]) await reach(device, 2, 1);
        const exported = at('audit.jsonl');
        const reply = await after.listeners.admin.app.inject({
          url: '/api/v1/audit/export',
          headers: { authorization: `Bearer ${after.ownerToken}` },
        });
        fs.writeFileSync(exported, reply.body);
        await ctl('audit', 'verify', exported);
      });
    },
  );
});

describe('a signer that is lost altogether', () => {
  it('is replaced by new online keys that the root names in a new epoch', { timeout: 180_000 }, async () => {
    const organisation = await running();
    const { site, devices, at } = organisation;
    await organisation.plane.close();
    fs.rmSync(path.join(site.stateDir, 'signer'), { recursive: true });
    await neverLooser(devices, 1, async () => {
      await expect(start(site)).rejects.toMatchObject({ code: 'organisation.no-signer-keys' });
      expect(await recover(organisation)).toMatchObject({ status: 1, code: 'signer-lost' });
      const args = ['--organisation', organisation.file('org'), ...two(organisation), '--out', at('v2')];
      await ctl('keys', 'rotate', 'checkpoint', '--raise-epoch', ...args);
      const after = await start(site, at('v2/server'));
      await loosen(after, organisation, 1);
      for (const device of devices) await reach(device, 1, 1);
      expect((await recover(organisation)).code).toBe('whole');
      await after.close();
    });
    await loosen(await start(site), organisation, 2);
    for (const device of devices) await reach(device, 2, 1);
  });
});
