/** A launch in a sandbox's terms, with how truly each control is enforced. Types only. */
import type { ContainerRequest, ExecutionRequest, IsolationTier, ProvisionRequest } from '@microsoft/mxc-sdk/v1';
import type { EgressRules } from './egress-rules.ts';
import type { RuleOrigin } from './effective.ts';

export type ControlState = 'enforced' | 'approximated' | 'unsupported';

export interface ControlReport {
  readonly control: string;
  readonly state: ControlState;
  readonly why: string;
  /** What it means that it is not enforced. narrower: something that is allowed cannot be had; wider: something that is denied may be reached. */
  readonly gap?: 'narrower' | 'wider';
}

/** What a run may use; undefined: no policy limits it. Fractions of a processor are meant. */
export interface Limits {
  readonly timeoutMs: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly cpus: number | undefined;
  readonly processes: number | undefined;
}

export interface Compiled<Backend extends string, Request> {
  readonly backend: Backend;
  readonly request: Request;
  /** What the egress proxy of the run lets through. */
  readonly egress: EgressRules;
  /** Names of caller's variables that may be passed on. */
  readonly environment: readonly string[];
  readonly limits: Limits;
  /** One for each control, in their order. */
  readonly controls: readonly ControlReport[];
  /** Required controls that are not truly enforced: when not empty, the launch is refused. */
  readonly unmet: readonly ControlReport[];
  /** Grants inside a denied place: never emitted, since the sandboxes disagree about them. */
  readonly shadowed: readonly { readonly path: string; readonly by: RuleOrigin }[];
}

/** The native executor's configuration, contract 1.0.0. */
export interface NativeRequest {
  readonly version: '1.0.0';
  readonly containment: 'bubblewrap';
  readonly process: { readonly commandLine: string; readonly cwd?: string; readonly env: readonly string[] };
  readonly filesystem: {
    readonly readonlyPaths: readonly string[];
    readonly readwritePaths: readonly string[];
    readonly deniedPaths: readonly string[];
  };
  readonly network: { readonly egress: { readonly default: 'deny' } };
}

/** On Linux. */
export type LaunchPlan = Compiled<'bubblewrap', NativeRequest>;
export type LxcPlan = Compiled<'lxc', ContainerRequest>;
/** On macOS. */
export type SeatbeltPlan = Compiled<'seatbelt', ContainerRequest>;
/** On Windows: the same request means much or little, by the tier of the machine. */
export type ProcessContainerPlan = Compiled<'processcontainer', ContainerRequest> & { readonly tier: IsolationTier };
/** Linux containers on Windows. */
export type WslcPlan = Compiled<'wslc', ContainerRequest>;
/** A Windows session of another account: for one run by `request`, or by phases for several. */
export type IsolationSessionPlan = Compiled<'isolation_session', ContainerRequest> & {
  readonly lifecycle: {
    readonly provision: ProvisionRequest<'isolation_session'>;
    readonly execute: ExecutionRequest<'isolation_session'>;
  };
};
