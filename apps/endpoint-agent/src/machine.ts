/** What the machine itself says of time and boots, which no clock setting changes. */
import fs from 'node:fs';
import os from 'node:os';

/**
 * Milliseconds that no one can set, and that go on while the machine sleeps where the system counts that: Linux since boot (CLOCK_BOOTTIME), Windows since its
 * start. macOS derives its own from the wall clock, so there the process's clock is used, which stands still while it sleeps.
 */
export const machineElapsed = (platform: NodeJS.Platform = process.platform): (() => number) =>
  platform === 'linux' || platform === 'win32' ? () => os.uptime() * 1000 : () => performance.now();

/** This boot of the machine; null where the system does not name its boots. A machine that was restored from a snapshot goes on with the boot that it had. */
export const machineBoot = (file = '/proc/sys/kernel/random/boot_id'): string | null => {
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim() : '';
  return /^[0-9a-f-]{36}$/.test(text) ? text : null;
};
