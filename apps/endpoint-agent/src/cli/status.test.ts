import { describe, expect, it } from 'vitest';
import type { Status } from '../local-api/protocol.ts';
import { statusLines } from './status.ts';

const status: Status = {
  device: 'dev_1',
  organisation: 'org_1',
  key: 'k'.repeat(43),
  server: 'https://cordon.example:7401',
  connected: false,
  enforcing: { digest: 'ab'.repeat(32), epoch: 0, serial: 7, freshness: 'current', policies: ['coding-agents revision 2'] },
  selfTest: { passed: false, at: '2026-06-01T00:00:00.000Z', failed: ['forbidden-read: a file outside the grants'] },
  spool: { waiting: 3, dropped: 0 },
  history: {
    newest: { epoch: 0, serial: 7, number: 12, digest: 'cd'.repeat(32), audit: { seq: 1042, head: 'ef'.repeat(32) } },
    walking: false,
    findings: [],
  },
  blocked: null,
  maintenance: null,
  limits: { memory: 'cgroup', cpu: 'cgroup', processes: 'cgroup', without: null },
  runs: 1,
};

describe('what status says', () => {
  it('has each policy, what failed, and that nothing is lost while the server is away', () => {
    const text = statusLines(status).join('\n');
    expect(text).toContain('not connected; the policy stays in force');
    expect(text).toContain('serial 7, abababababababab, current\n           coding-agents revision 2\n');
    expect(text).toContain('self-test  FAILED at 2026-06-01T00:00:00.000Z\n           forbidden-read: a file outside the grants\n');
    expect(text).not.toContain('nothing launches');
  });

  it('has the thumbprint of its key as cordonctl reports verify takes it', () => {
    expect(statusLines(status)[1]).toMatch(/ in org_1, key k{43}$/);
  });

  it('has the head of the audit log as cordonctl audit verify takes it, and every finding', () => {
    const place = (number: number) => ({ epoch: 0, serial: 7, number, digest: 'cd'.repeat(32) });
    expect(statusLines(status).join('\n')).toContain(`audit log at 1042:${'ef'.repeat(32)}\n`);
    const found = { code: 'history.fork', at: '2026-06-01T00:00:00.000Z', earlier: place(12), later: place(12) } as const;
    const text = statusLines({ ...status, history: { ...status.history, walking: true, findings: [found] } }).join('\n');
    expect(text).toContain('asking for what was missed');
    expect(text).toContain('HISTORY.FORK at 2026-06-01T00:00:00.000Z: 0/12 (serial 7) after 0/12 (serial 7)');
    expect(statusLines({ ...status, history: { newest: null, walking: false, findings: [] } }).join('\n')).toContain('history    none yet');
  });

  it('says what runs are limited by, and why that is not their control group', () => {
    expect(statusLines(status)).toContain('limits     memory by control group, cpu by control group, processes by control group');
    const without = { memory: 'rlimit', cpu: 'none', processes: 'rlimit', without: 'not mounted' } as const;
    expect(statusLines({ ...status, limits: without })).toContain(
      'limits     memory by limit of each process, cpu by nothing, processes by limit of each process; not mounted',
    );
  });

  it('says until when the device is in maintenance, and that nothing else changes', () => {
    expect(statusLines(status).join('\n')).not.toContain('maintenance');
    const text = statusLines({ ...status, maintenance: '2026-06-01T08:00:00.000Z' }).join('\n');
    expect(text).toContain(
      'maintenance until 2026-06-01T08:00:00.000Z: a stop of the daemon is no tampering; what is enforced stays as it is',
    );
  });

  it('says that nothing launches, and why', () => {
    expect(statusLines({ ...status, enforcing: null, blocked: 'the daemon ended three times' }).join('\n')).toContain('ended three times');
    expect(statusLines({ ...status, enforcing: null }).join('\n')).toContain('nothing valid: nothing launches');
    expect(statusLines({ ...status, enforcing: null })[0]).toBe('state      nothing launches here: no valid policy is in force');
    const empty = {
      ...status,
      enforcing: { digest: 'ab'.repeat(32), epoch: 0, serial: 7, freshness: 'current', policies: [] },
    } satisfies Status;
    expect(statusLines(empty)[0]).toBe('state      nothing launches here: no policy is assigned to this device');
  });

  it('says first whether agents are contained, and whether that was proved', () => {
    const { enforcing, selfTest } = status;
    const first = (change: Partial<Status>): string => statusLines({ ...status, ...change })[0] ?? '';
    expect(first({})).toBe('state      NOT ENFORCED: the self-test failed; cordon doctor says what is wrong');
    const passed = { at: '2026-06-01T00:00:00.000Z', failed: [], passed: true };
    expect(first({ selfTest: passed })).toBe('state      agents are contained, as a test proved');
    expect(first({ selfTest: null })).toBe('state      agents are contained, which no test has proved yet');
    if (enforcing === null || selfTest === null) throw new Error('both are above');
    expect(first({ selfTest: passed, enforcing: { ...enforcing, freshness: 'stale' } })).toContain('the policy is old');
    expect(first({ selfTest: passed, enforcing: { ...enforcing, freshness: 'expired' } })).toContain('nothing new launches');
  });
});
