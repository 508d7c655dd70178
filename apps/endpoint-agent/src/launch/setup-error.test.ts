import { describe, expect, it } from 'vitest';
import { setupError } from './setup-error.ts';

/** What bubblewrap, the executor and the wrapper really print. */
const SAID: readonly (readonly [code: string, text: string])[] = [
  [
    'launch.userns-denied',
    "bwrap: No permissions to creating new namespace, likely because the kernel does not allow non-privileged user namespaces. On e.g. debian this can be enabled with 'sysctl kernel.unprivileged_userns_clone=1'.\n",
  ],
  [
    'launch.userns-denied',
    'bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged user namespaces. See <https://deb.li/bubblewrap> or <file:///usr/share/doc/bubblewrap/README.Debian.gz>.\n',
  ],
  [
    'launch.userns-denied',
    'bwrap: Creating new namespace failed, likely because the kernel does not support user namespaces.  bwrap must be installed setuid on such systems.\n',
  ],
  ['launch.userns-denied', 'bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)\n'],
  ['launch.userns-denied', 'bwrap: setting up uid map: Permission denied\n'],
  ['launch.userns-denied', 'bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted\n'],
  ['launch.path-missing', "bwrap: Can't find source path /srv/gone: No such file or directory\n"],
  ['launch.path-missing', "bwrap: Can't get type of source /srv/gone: No such file or directory\n"],
  ['launch.wrapper-refused', 'cordon-bwrap: unknown option --dev-bind\n{"error":{"code":"backend_error","message":"exit status 126"}}\n'],
  ['launch.bubblewrap-old', 'bwrap: Unknown option --disable-userns\n'],
  ['launch.bubblewrap-missing', 'The Bubblewrap (bwrap) executable was not found on PATH\n'],
  ['launch.setup-failed', 'bwrap: something that nobody has seen before\n'],
  ['launch.setup-failed', ''],
];

describe('setupError', () => {
  it.each(SAID)('%s: %s', (code, text) => {
    const error = setupError(text);
    expect(error.code).toBe(code);
    expect(error.message.length).toBeGreaterThan(20);
  });

  it('keeps what was said, its end and not more', () => {
    const { message } = setupError(`${'noise\n'.repeat(100)}bwrap: the reason\n${'x'.repeat(1000)}\n`);
    expect(message).toContain('bwrap: the reason');
    expect(message.length).toBeLessThan(500);
  });
});
