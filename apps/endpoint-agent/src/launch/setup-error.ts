/** What bubblewrap and the executor say when a sandbox cannot be set up, as a code and an advice. */
import { CordonError } from '@cordon/policy/errors.ts';

const KNOWN: readonly (readonly [pattern: RegExp, code: string, advice: string])[] = [
  [
    /No permissions to creat(?:e|ing)(?: a)? new namespace|setting up uid map|Creating new namespace failed|(?:unshare|RTM_NEW\w+).*(?:EPERM|Operation not permitted)/i,
    'launch.userns-denied',
    'this machine does not let ordinary users make user namespaces: set kernel.unprivileged_userns_clone=1 or user.max_user_namespaces, or allow bubblewrap in AppArmor',
  ],
  [/Can't find source path|No such file or directory/i, 'launch.path-missing', 'a granted path went away while the sandbox was set up'],
  [
    /cordon-bwrap: unknown/i,
    'launch.wrapper-refused',
    'the executor called bubblewrap in a way that is not known; this version of MXC is not supported',
  ],
  [
    /bwrap: Unknown option/i,
    'launch.bubblewrap-old',
    'this bubblewrap is too old to contain what Cordon runs: install version 0.8 or newer',
  ],
  [/bwrap.*(?:not found|missing|not installed)/i, 'launch.bubblewrap-missing', 'install the package bubblewrap'],
];

export const setupError = (stderr: string): CordonError => {
  const [, code = 'launch.setup-failed', advice = 'the sandbox could not be set up'] =
    KNOWN.find(([pattern]) => pattern.test(stderr)) ?? [];
  const said = stderr.trim().split('\n').slice(-2).join(' ').slice(0, 300);
  return new CordonError(code, `${advice}${said === '' ? '' : ` (${said})`}`);
};
