/** Types that the resolver, the compiler, the launcher and both explanations share. No behaviour here. */
import type { PolicyDocument } from './document/schema.ts';

/** Through which assignment and group a policy reaches a device. */
export interface Because {
  readonly assignment: string;
  readonly group: string;
  readonly groupName: string;
}

/** One policy revision in a bundle, with why it is there. */
export interface AppliedPolicy {
  readonly policy: string;
  readonly name: string;
  readonly revision: number;
  readonly document: PolicyDocument;
  readonly because: readonly Because[];
}

/** The content of a bundle: canonical JSON of this is what the manifest's SHA-256 covers. */
export interface BundleContent {
  readonly format: 'cordon-bundle/1';
  readonly language: 'cordon/v1';
  /** Sorted by policy id. */
  readonly policies: readonly AppliedPolicy[];
  /** Time-boxed exceptions; none are made before change sets carry them. */
  readonly exceptions: readonly never[];
}

export type OperatingSystem = 'linux' | 'macos' | 'windows';

/** Who and what is being launched, and how sure the device is of it. */
export interface Subject {
  readonly agent: { readonly id: string; readonly proof: 'proven' | 'claimed' };
  readonly user: string;
  readonly os: OperatingSystem;
}

/** Values of the path variables for one launch; absolute, canonical paths. */
export interface PathVariables {
  readonly home: string;
  readonly workspace: string | undefined;
  readonly tmp: string;
  /** Folders of programs that the device's administrator installed. */
  readonly tools: readonly string[];
  /** Folders of the agent's own program, settings and credentials. */
  readonly agent: readonly string[];
}

/** Where a rule comes from. `builtin` and `floor` have no assignment. */
export interface RuleOrigin {
  /** Stable id of the rule, the same in every revision that contains it unchanged. */
  readonly rule: string;
  readonly source: 'policy' | 'floor' | 'builtin';
  /** Name of the policy, or of the built-in set. */
  readonly policy: string;
  readonly revision: number;
  readonly because: readonly Because[];
}

export type Effect = 'allow' | 'deny' | 'limit';

export interface PathRule {
  readonly path: string;
  /** For allow and limit: read or write (write includes read). For deny: access hides, write makes read-only. */
  readonly access: 'read' | 'write' | 'access';
  readonly effect: Effect;
  readonly origin: RuleOrigin;
}

export interface HostRule {
  /** Canonical: exact name, `*.suffix`, `*`, or an IP literal. */
  readonly host: string;
  /** Absent: every port (deny, limit). */
  readonly ports: readonly number[] | undefined;
  readonly private: boolean;
  readonly effect: Effect;
  readonly origin: RuleOrigin;
}

/** What results for one launch, before it is put into a sandbox's terms. */
export interface EffectivePolicy {
  readonly subject: Subject;
  /** Set when no policy applies to this subject: the launch is refused with this code. */
  readonly refused: { readonly code: string; readonly message: string } | undefined;
  readonly paths: readonly PathRule[];
  /** Each limiting policy's list stands alone: all of them must permit. */
  readonly pathLimits: readonly { readonly access: 'read' | 'write'; readonly paths: readonly string[]; readonly origin: RuleOrigin }[];
  readonly hosts: readonly HostRule[];
  readonly hostLimits: readonly { readonly hosts: readonly HostRule[]; readonly origin: RuleOrigin }[];
  readonly environment: readonly { readonly name: string; readonly origin: RuleOrigin }[];
  readonly timeoutMs: { readonly value: number; readonly origin: RuleOrigin } | undefined;
  readonly required: readonly string[];
  readonly workspace: { readonly allowed: boolean; readonly why: string };
}

export type Verdict = 'allowed' | 'denied';

/** The answer to "may this run reach that, and why". */
export interface Explanation {
  readonly verdict: Verdict;
  readonly target: string;
  /** Rule that decided; undefined means default deny. */
  readonly rule: RuleOrigin | undefined;
  readonly effect: Effect | 'default';
  readonly reason: string;
  readonly shadowed: readonly RuleOrigin[];
}

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
  readonly egress: { readonly hosts: readonly HostRule[]; readonly limits: EffectivePolicy['hostLimits'] };
  /** Names of caller's variables that may be passed on. */
  readonly environment: readonly string[];
  readonly timeoutMs: number | undefined;
  readonly controls: readonly ControlReport[];
  /** Required controls that are not truly enforced: when not empty, the launch is refused. */
  readonly unmet: readonly ControlReport[];
}
