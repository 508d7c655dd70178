import { describe, expect, it } from 'vitest';
import type { Status } from '../local-api/protocol.ts';
import { statusLines } from './status.ts';

const status: Status = {
  device: 'dev_1',
  organisation: 'org_1',
  server: 'https://cordon.example:7401',
  connected: false,
  enforcing: { digest: 'ab'.repeat(32), epoch: 0, serial: 7, freshness: 'current', policies: ['coding-agents revision 2'] },
  selfTest: { passed: false, at: '2026-06-01T00:00:00.000Z' },
  spool: { waiting: 3, dropped: 0 },
  runs: 1,
};

describe('what status says', () => {
  it('has each policy, what failed, and that nothing is lost while the server is away', () => {
    const text = statusLines(status).join('\n');
    expect(text).toContain('not connected; the policy stays in force');
    expect(text).toContain('serial 7, abababababababab, current\n           coding-agents revision 2\n');
    expect(text).toContain('FAILED at 2026-06-01');
    expect(text).not.toContain('nothing launches');
  });

  it('says that nothing launches, and why', () => {
    expect(statusLines({ ...status, enforcing: null }).join('\n')).toContain('nothing valid: nothing launches');
    const empty = {
      ...status,
      enforcing: { digest: 'ab'.repeat(32), epoch: 0, serial: 7, freshness: 'current', policies: [] },
    } satisfies Status;
    expect(statusLines(empty).join('\n')).toContain('no policy is assigned to this device: nothing launches');
  });
});
