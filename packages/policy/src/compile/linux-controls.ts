/** How truly each control is enforced by bubblewrap and the egress proxy, and why. */
import type { Decider } from '../decide/decider.ts';
import type { Right, Stated } from '../effective.ts';
import type { ControlReport } from '../launch-plan.ts';

export interface LinuxSituation {
  /** Whether anything writable holds a place that must not be written. */
  readonly protects: boolean;
  /** Granted, but not there. */
  readonly missing: readonly string[];
  /** Hidden places that are single files. */
  readonly maskedFiles: readonly string[];
}

const report = (control: string, state: ControlReport['state'], why: string): ControlReport => ({ control, state, why });
const few = (paths: readonly string[]): string => paths.slice(0, 5).join(', ');

/** A right that the sandbox cannot give: denied is enforced by its absence, allowed is not to be had. */
const absent = (decider: Decider, control: string, rights: readonly Right[], why: string): ControlReport =>
  rights.some((right) => decider.right(right).verdict === 'allowed')
    ? report(control, 'unsupported', `it is allowed, but ${why}`)
    : report(control, 'enforced', why);

const limit = (control: string, stated: Stated<number> | undefined): ControlReport =>
  stated === undefined
    ? report(control, 'enforced', 'no policy limits it')
    : report(control, 'unsupported', 'this version sets no such limit on Linux; the limits that the daemon itself was started under hold');

export const linuxControls = (decider: Decider, { protects, missing, maskedFiles }: LinuxSituation): readonly ControlReport[] => {
  const { resources, settings } = decider.effective;
  const isolation = settings.isolation?.value ?? 'process';
  return [
    report(
      'filesystem.read',
      'enforced',
      `only what is granted is mounted${missing.length === 0 ? '' : `; not there, so not granted: ${few(missing)}`}`,
    ),
    report('filesystem.write', 'enforced', 'everything else is read-only: a write outside fails'),
    maskedFiles.length === 0
      ? report('filesystem.deny', 'enforced', 'denied folders are empty mounts')
      : report(
          'filesystem.deny',
          'approximated',
          `a mask over a single file falls if the host replaces the file during the run: ${few(maskedFiles)}; deny the folder`,
        ),
    protects
      ? report(
          'filesystem.protect',
          'approximated',
          'protected places that exist are read-only mounts; one that does not exist yet cannot be masked',
        )
      : report('filesystem.protect', 'enforced', 'nothing writable holds a protected place'),
    report('network.hosts', 'enforced', "the run's only way out is the egress proxy"),
    report('network.cidrs', 'enforced', 'the egress proxy judges every address before it dials it'),
    report('network.http', 'enforced', 'methods and paths are judged in plain HTTP; a rule with them opens no tunnel'),
    absent(decider, 'network.ingress', ['network.ingress'], 'nothing outside the sandbox can reach into its network'),
    absent(
      decider,
      'network.host-loopback',
      ['network.host-loopback'],
      "the host's loopback is not in the sandbox's network; name the host and port with private: true instead",
    ),
    absent(decider, 'ui.windows', ['ui.windows'], 'no display is reachable from the sandbox'),
    absent(
      decider,
      'ui.clipboard',
      ['ui.clipboard.read', 'ui.clipboard.write'],
      'no display, so no clipboard, is reachable from the sandbox',
    ),
    absent(
      decider,
      'ui.input-injection',
      ['ui.input-injection'],
      'no display or input device is reachable, and terminal injection is filtered',
    ),
    report('environment', 'enforced', 'the environment is empty but for the names that are allowed'),
    report('resources.timeout', 'enforced', "the sandbox's init is killed when the time is over"),
    limit('resources.memory', resources.memoryBytes),
    limit('resources.cpu', resources.cpus),
    limit('resources.processes', resources.processes),
    isolation === 'process'
      ? report('isolation', 'enforced', 'namespaces, capabilities and system-call filter')
      : report('isolation', 'unsupported', `the policy demands ${isolation}; bubblewrap isolates processes`),
  ];
};
