import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { machineBoot, machineElapsed } from './machine.ts';

describe('the machine’s own clock', () => {
  it.runIf(process.platform === 'linux')('is the time since its boot, sleep included, as the kernel counts it', () => {
    const seconds = (): number => Number(fs.readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    const [before, now, after] = [seconds(), machineElapsed()(), seconds()];
    expect(now).toBeGreaterThanOrEqual(before * 1000 - 20);
    expect(now).toBeLessThanOrEqual(after * 1000 + 20);
  });

  it.each(['linux', 'win32'] as const)('goes on on %s while the machine sleeps, whatever is done to the clock', (platform) => {
    const uptime = vi.spyOn(os, 'uptime').mockReturnValue(100);
    onTestFinished(() => uptime.mockRestore());
    const elapsed = machineElapsed(platform);
    const before = elapsed();
    uptime.mockReturnValue(100 + 8 * 3600);
    vi.useFakeTimers({ now: 0, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    expect(elapsed() - before).toBe(8 * 3_600_000);
  });

  it('is not derived from the wall clock where the system would do that', () => {
    const uptime = vi.spyOn(os, 'uptime').mockReturnValue(5);
    onTestFinished(() => uptime.mockRestore());
    const elapsed = machineElapsed('darwin');
    const before = elapsed();
    uptime.mockReturnValue(-1e9);
    expect(elapsed()).toBeGreaterThanOrEqual(before);
  });
});

describe('the boot of the machine', () => {
  it.runIf(process.platform === 'linux')('has a name that stays', () => {
    expect(machineBoot()).toMatch(/^[0-9a-f-]{36}$/);
    expect(machineBoot()).toBe(machineBoot());
  });

  it('is none where there is no such file, or something else in it', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-boot-'));
    onTestFinished(() => fs.rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'boot_id');
    expect(machineBoot(file)).toBeNull();
    for (const text of ['', 'x', '11111111-2222-4333-8444-55555555555G']) {
      fs.writeFileSync(file, text);
      expect(machineBoot(file)).toBeNull();
    }
    fs.writeFileSync(file, '11111111-2222-4333-8444-555555555555\n');
    expect(machineBoot(file)).toBe('11111111-2222-4333-8444-555555555555');
  });
});
