import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { attest, endProcess, isAlive, startTimeOf } from './gate.ts';

const NOBODY = 2 ** 22 + 1; // above the highest pid that there can be

describe('a process by pid and start time', () => {
  it('is this one, and not another with its number', () => {
    const startTime = startTimeOf(process.pid) ?? '';
    expect(startTime).toMatch(/^\d+$/);
    expect(isAlive(process.pid, startTime)).toBe(true);
    expect(isAlive(process.pid, String(Number(startTime) - 1))).toBe(false);
    expect(startTimeOf(NOBODY)).toBe(undefined);
    expect(isAlive(NOBODY, startTime)).toBe(false);
  });

  it('is ended, once, and only if it is the one', async () => {
    // A name with a bracket and spaces: its fields come after the last bracket.
    const child = spawn('bash', ['-c', 'exec -a "x) R 1 2 (" sleep 60']);
    const exited = once(child, 'exit');
    const pid = child.pid ?? 0;
    const startTime = startTimeOf(pid) ?? '';
    expect(endProcess(pid, '1')).toBe(false);
    expect(isAlive(pid, startTime)).toBe(true);
    expect(endProcess(pid, startTime)).toBe(true);
    await exited;
    expect(endProcess(pid, startTime)).toBe(false);
    expect(isAlive(pid, startTime)).toBe(false);
  });
});

const expected = (uid: number, bubblewrap = '/bin/sleep') => ({
  plan: { readonly: [], readwrite: [], denied: [], hostFacts: [], shared: [] },
  identities: new Map<string, string>(),
  uid,
  network: undefined,
  bubblewrap,
  etc: '/etc',
});

describe('the gate', () => {
  it('refuses a process that is gone', async () => {
    await expect(attest(NOBODY, expected(1000))).rejects.toMatchObject({
      code: 'launch.gate-refused',
    });
  });

  it('refuses a process that is no sandbox', async () => {
    // Without capabilities, as an ordinary program of an ordinary account is.
    const root = process.getuid?.() === 0;
    const args = root
      ? ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--bounding-set', '-all', '--inh-caps', '-all', '--', 'sleep', '60']
      : ['--no-new-privs', 'sleep', '60'];
    const child = spawn('setpriv', args, { stdio: 'ignore' });
    try {
      const refusal = { code: 'launch.gate-refused' };
      await expect(attest(child.pid ?? 0, expected(65_534))).rejects.toMatchObject(refusal);
      await expect(attest(child.pid ?? 0, expected(65_534, '/bin/true'))).rejects.toMatchObject(refusal);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
