/** A launch in a sandbox's terms, with how truly each control is enforced. Types only. */
import type { EgressRules, RuleOrigin } from './effective.ts';

export type ControlState = 'enforced' | 'approximated' | 'unsupported';

export interface ControlReport {
  readonly control: string;
  readonly state: ControlState;
  readonly why: string;
}

/** A launch in a backend's terms. `request` is the native executor's configuration, contract 1.0.0. */
export interface LaunchPlan {
  readonly request: {
    readonly version: '1.0.0';
    readonly containment: 'bubblewrap' | 'seatbelt' | 'processcontainer';
    readonly process: { readonly commandLine: string; readonly cwd?: string; readonly env: readonly string[] };
    readonly filesystem: {
      readonly readonlyPaths: readonly string[];
      readonly readwritePaths: readonly string[];
      readonly deniedPaths: readonly string[];
    };
    readonly network: { readonly egress: { readonly default: 'deny' } };
  };
  readonly egress: EgressRules;
  /** Names of caller's variables that may be passed on. */
  readonly environment: readonly string[];
  readonly timeoutMs: number | undefined;
  readonly controls: readonly ControlReport[];
  /** Required controls that are not truly enforced: when not empty, the launch is refused. */
  readonly unmet: readonly ControlReport[];
  /** Grants inside a denied place: never emitted, since the sandboxes disagree about them. */
  readonly shadowed: readonly { readonly path: string; readonly by: RuleOrigin }[];
}
