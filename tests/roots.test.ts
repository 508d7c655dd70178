/** What an auditor can do with an export alone: every root that was ever signed is made again from the log. */
import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cordonctl, join, type Running, type Said } from './_fleet.ts';
import { loosen, publish, running } from './_recovery.ts';

const STRICTER = `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: stricter }
spec:
  deny:
    filesystem: { access: ["/srv/payroll"] }
`;

const exported = async (plane: Running, at: string): Promise<string> => {
  const reply = await plane.listeners.admin.app.inject({
    url: '/api/v1/audit/export?checkpoints=true',
    headers: { authorization: `Bearer ${plane.ownerToken}` },
  });
  expect(reply.statusCode).toBe(200);
  fs.writeFileSync(at, reply.body);
  return reply.body;
};

describe('an export of the audit log with its checkpoints', () => {
  it('gives the roots of them all: publishes, enrollments, moves between groups, a revocation', { timeout: 60_000 }, async () => {
    const organisation = await running('--root-keys', '1', '--root-threshold', '1');
    const { plane, devices, at, file } = organisation;
    await loosen(plane, organisation, 2);
    const [first, second] = devices;
    const third = await join(plane, 'third');
    await plane.ask('POST', `/devices/${second?.id}/revoke`);
    await loosen(plane, organisation, 3);
    await expect.poll(() => third.inForce()?.content.policies[0]?.revision, { timeout: 20_000 }).toBe(3);
    const group = await plane.ask<{ id: string }>('POST', '/groups', { name: 'others' });
    const { id: policyId } = await plane.ask<{ id: string }>('POST', '/policies', { yaml: STRICTER });
    await plane.ask('POST', '/assignments', { policyId, groupId: group.id, mode: 'include' });
    await publish(plane, organisation, 'stricter for some');
    await plane.tell('PUT', `/groups/${group.id}/members/${first?.id}`);
    await expect.poll(() => first?.inForce()?.content.policies.length, { timeout: 20_000 }).toBe(2);
    const text = await exported(plane, at('audit.jsonl'));
    const checkpoints = text.split('\n').filter((line) => line.startsWith('{"checkpoint"')).length;
    expect(checkpoints).toBeGreaterThan(6);

    const roots = (...args: readonly string[]): Promise<Said> => cordonctl(['audit', 'roots', at('audit.jsonl'), ...args]);
    const said = await roots('--organisation', file('org'), '--json');
    expect(said).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(said.stdout)).toMatchObject({ matched: expect.any(Number) as unknown, signed: true });
    const { matched, before } = JSON.parse(said.stdout) as { matched: number; before: number };
    expect(matched + before).toBe(checkpoints);
    expect(await cordonctl(['audit', 'verify', at('audit.jsonl')])).toMatchObject({ status: 0 });
    // What a device holds is held against it in the same way.
    fs.writeFileSync(
      at('held'),
      first
        ?.inForce()
        ?.seen.map(({ jws }) => jws)
        .join('\n') ?? '',
    );
    expect(await roots('--checkpoint', at('held'))).toMatchObject({ status: 0 });

    // A leaf that nobody decided, put in by whoever has the database: the next checkpoint shows it.
    const { prisma } = plane.context;
    expect((await prisma.auditEntry.count({ where: { action: 'state.leaves' } })) > 4).toBe(true);
    const lines = text.trimEnd().split('\n');
    const entry = lines.findLastIndex((line) => line.includes('"state.leaves"'));
    fs.writeFileSync(at('audit.jsonl'), `${lines.toSpliced(entry, 1).join('\n')}\n`);
    expect(await roots()).toMatchObject({ status: 1, stdout: expect.stringMatching(/^row \d+ /) as unknown });
  });
});
