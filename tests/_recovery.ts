/** What every rehearsal of a recovery begins and ends with: an organisation with a policy in force on its devices, and a fleet that goes on. */
import fs from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { ctl, join, makeFolder, makeSite, start, type Fleeting, type Running, type Site } from './_fleet.ts';

/** A policy that allows one host more with each revision: each is looser than the one before. */
export const policyText = (revision: number): string => `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: coding-agents }
spec:
  allow:
    filesystem: { write: ["\${workspace}"] }
    network: { hosts: [${Array.from({ length: revision }, (_, i) => `{ host: host-${i + 1}.example.com }`).join(', ')}] }
`;

export interface Organisation {
  /** Of the ceremonies; `org` and the later ones are folders in it. */
  readonly folder: string;
  readonly site: Site;
  /** Path of a file of a ceremony. */
  at(...names: readonly string[]): string;
  /** `organisation.json` of a ceremony. */
  file(of: string): string;
}

export const makeOrganisation = async (...options: readonly string[]): Promise<Organisation> => {
  const folder = makeFolder();
  const at = (...names: readonly string[]): string => path.join(folder, ...names);
  await ctl('keys', 'init', '--out', at('org'), ...options);
  return { folder, site: await makeSite(), at, file: (of) => at(of, 'server/organisation.json') };
};

/** Proposes the draft, approves it with the key of the ceremony, publishes it: as people do, with `cordonctl`. What is approved as it stands is published alone. */
export const publish = async (plane: Running, organisation: Organisation, title: string, approver = 'org/approver.key'): Promise<void> => {
  const token = organisation.at('admin-token');
  fs.writeFileSync(token, plane.ownerToken, { mode: 0o600 });
  const over = ['--server', plane.adminUrl, '--token-file', token];
  const { status, body } = await plane.tell('POST', '/proposals', { title });
  if (status < 300) await ctl('approve', (body as { id: string }).id, '--key', organisation.at(approver), '--yes', ...over);
  else expect(body).toMatchObject({ code: 'proposal.nothing' });
  await ctl('publish', ...(status < 300 ? ['--proposal', (body as { id: string }).id] : ['--title', title]), ...over);
};

/** The next revision of the policy, published. */
export const loosen = async (plane: Running, organisation: Organisation, revision: number, approver?: string): Promise<void> => {
  const { items } = await plane.ask<{ items: { id: string; version: number }[] }>('GET', '/policies');
  const [policy] = items;
  if (policy === undefined) {
    const made = await plane.ask<{ id: string }>('POST', '/policies', { yaml: policyText(revision) });
    const groups = await plane.ask<{ items: { id: string; kind: string }[] }>('GET', '/groups');
    await plane.ask('POST', '/assignments', {
      policyId: made.id,
      groupId: groups.items.find(({ kind }) => kind === 'all')?.id,
      mode: 'include',
    });
  } else await plane.ask('POST', `/policies/${policy.id}/revisions`, { yaml: policyText(revision) }, { 'if-match': `"${policy.version}"` });
  await publish(plane, organisation, `revision ${revision}`, approver);
};

/** Hosts that the policy in force allows. */
export const hosts = (device: Fleeting): number => {
  const [policy] = device.inForce()?.content.policies ?? [];
  return policy?.document.spec.allow?.network?.hosts?.length ?? 0;
};

/** An organisation with two devices that enforce the first revision. */
export const running = async (
  ...options: readonly string[]
): Promise<Organisation & { readonly plane: Running; readonly devices: readonly Fleeting[] }> => {
  const organisation = await makeOrganisation(...options);
  const plane = await start(organisation.site, organisation.at('org/server'));
  await loosen(plane, organisation, 1);
  const devices = [await join(plane, 'first'), await join(plane, 'second')];
  for (const device of devices) await reach(device, 1);
  return { ...organisation, plane, devices };
};

/** The device comes to enforce a revision, in an epoch. */
export const reach = (device: Fleeting, revision: number, epoch = 0): Promise<void> =>
  expect
    .poll(() => ({ hosts: hosts(device), epoch: device.inForce()?.epoch, freshness: device.inForce()?.freshness }), {
      timeout: 60_000,
      interval: 100,
      message: device.said.join('\n'),
    })
    .toEqual({ hosts: revision, epoch, freshness: 'current' });

/** Never more than what was allowed, whatever happens: looks again and again until `work` has ended. */
export const neverLooser = async <T>(devices: readonly Fleeting[], revision: number, work: () => Promise<T>): Promise<T> => {
  const seen = new Set<number>();
  const watch = setInterval(() => devices.forEach((device) => seen.add(hosts(device))), 20);
  try {
    return await work();
  } finally {
    clearInterval(watch);
    expect(
      [...seen].every((count) => count <= revision && count > 0),
      `hosts that were allowed meanwhile: ${[...seen].join(', ')}`,
    ).toBe(true);
  }
};
