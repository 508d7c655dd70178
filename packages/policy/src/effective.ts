/** Types that the resolver, the compilers, the launcher and both explanations share. No behaviour here. */
import type { Exception } from './document/exception.ts';
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
  /** Time-boxed; each ends by itself on the device. Sorted by id. */
  readonly exceptions: readonly Exception[];
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
  /** Private to the run, on every operating system. */
  readonly tmp: string;
  /** Folders of programs that the device's administrator installed. */
  readonly tools: readonly string[];
  /** Folders of the agent's own program, settings and credentials. */
  readonly agent: readonly string[];
}

/** Where a rule comes from. `builtin`, `floor`, `manifest` and `parent` have no assignment. */
export interface RuleOrigin {
  /** Stable id of the rule, the same in every revision that contains it unchanged. */
  readonly rule: string;
  readonly source: 'policy' | 'floor' | 'builtin' | 'manifest' | 'parent';
  /** Name of the policy, or of the built-in set. */
  readonly policy: string;
  readonly revision: number;
  readonly because: readonly Because[];
}

export type Effect = 'allow' | 'deny' | 'limit';

export interface PathRule {
  readonly path: string;
  /** For allow: read or write (write includes read). For deny: access hides, write makes read-only. */
  readonly access: 'read' | 'write' | 'access';
  readonly effect: 'allow' | 'deny';
  readonly origin: RuleOrigin;
}

/** Nothing outside `paths`. `write` bounds writing; `read` bounds reading and so writing too. */
export interface PathLimit {
  readonly access: 'read' | 'write';
  readonly paths: readonly string[];
  readonly origin: RuleOrigin;
}

export interface HostRule {
  /** Canonical: exact name, `*.suffix`, `*`, or an IP literal. */
  readonly host: string;
  /** Absent: every port (deny, limit). */
  readonly ports: readonly number[] | undefined;
  readonly private: boolean;
  /** Only in plain HTTP, and upper case; absent: every method. */
  readonly methods?: readonly string[];
  /** Canonical path prefixes, only in plain HTTP; absent: every path. */
  readonly prefixes?: readonly string[];
  /** Whatever is sent, also at port 443: a forward, which names one host and one port. Absent: TLS at 443 must be TLS for that host. */
  readonly raw?: true;
  /** A forward's own port inside the sandbox, on loopback. */
  readonly at?: number;
  readonly effect: Effect;
  readonly origin: RuleOrigin;
}

export interface HostLimit {
  readonly hosts: readonly HostRule[];
  /** Addresses by number that it permits too (a parent's enclosure: what its networks allow). */
  readonly cidrs?: readonly CidrRule[];
  /** Whether private addresses, and what is not TLS, need an entry that says so (a manifest and a parent's enclosure do). */
  readonly boundsManner: boolean;
  readonly origin: RuleOrigin;
}

/** Addresses by number. An allow is for literals; a deny or limit also for what a name leads to. */
export interface CidrRule {
  /** Canonical network, `192.0.2.0/24`. */
  readonly cidr: string;
  readonly except: readonly string[];
  readonly ports: readonly number[] | undefined;
  readonly private: boolean;
  readonly effect: Effect;
  readonly origin: RuleOrigin;
}

export interface CidrLimit {
  readonly cidrs: readonly CidrRule[];
  readonly origin: RuleOrigin;
}

/** What is allowed or not, without a place. */
export const RIGHTS = [
  'ui.windows',
  'ui.clipboard.read',
  'ui.clipboard.write',
  'ui.input-injection',
  'network.ingress',
  'network.host-loopback',
] as const;
export type Right = (typeof RIGHTS)[number];

export interface RightRule {
  readonly right: Right;
  readonly effect: 'allow' | 'deny';
  readonly origin: RuleOrigin;
}

export interface RightLimit {
  readonly bounds: readonly Right[];
  readonly permits: readonly Right[];
  readonly origin: RuleOrigin;
}

/** Names of environment variables. */
export interface NameRule {
  readonly name: string;
  readonly effect: 'allow' | 'deny';
  readonly origin: RuleOrigin;
}

export interface NameLimit {
  readonly names: readonly string[];
  readonly origin: RuleOrigin;
}

/** The strictest statement of its kind, and who made it. */
export interface Stated<T> {
  readonly value: T;
  readonly origin: RuleOrigin;
}

/** From weakest to strongest. */
export const ISOLATIONS = ['process', 'session', 'vm'] as const;
export type Isolation = (typeof ISOLATIONS)[number];
/** From softest to strictest: go on, start nothing new, end what runs. */
export const EXPIRIES = ['hold', 'tighten', 'stop'] as const;
export type OnExpiry = (typeof EXPIRIES)[number];
/** From softest to strictest. */
export const UNCONTAINED = ['report', 'stop'] as const;
export type Uncontained = (typeof UNCONTAINED)[number];
/** From most to least that telemetry says of paths, hosts and users. */
export const PRIVACY = {
  paths: ['full', 'folder', 'none'],
  hosts: ['full', 'domain', 'none'],
  users: ['full', 'pseudonym', 'none'],
} as const;
export interface Privacy {
  readonly paths: (typeof PRIVACY.paths)[number];
  readonly hosts: (typeof PRIVACY.hosts)[number];
  readonly users: (typeof PRIVACY.users)[number];
}

export interface Resources {
  readonly timeoutMs: Stated<number> | undefined;
  readonly memoryBytes: Stated<number> | undefined;
  /** In processors; fractions are meant. */
  readonly cpus: Stated<number> | undefined;
  readonly processes: Stated<number> | undefined;
  /** Bytes that a run, with all runs inside it, may send through its way out. */
  readonly uploadBytes: Stated<number> | undefined;
  readonly downloadBytes: Stated<number> | undefined;
}

/** Who answers questions about a policy, and how to ask. */
export type PolicyOwner = Readonly<Partial<Record<'owner' | 'contact', string>>>;

export interface Settings {
  readonly isolation: Stated<Isolation> | undefined;
  readonly onExpiry: OnExpiry;
  /** How long runs go on after a policy that is tighter for them, in milliseconds. */
  readonly graceMs: number;
  readonly uncontained: Uncontained;
  readonly privacy: Privacy;
}

/** What results for one launch, before it is put into a sandbox's terms. */
export interface EffectivePolicy {
  readonly subject: Subject;
  /** Set when nothing may start for this subject: the launch is refused with this code. */
  readonly refused: { readonly code: string; readonly message: string; readonly origin?: RuleOrigin } | undefined;
  readonly paths: readonly PathRule[];
  /** Each limiting list stands alone: all of them must permit. The same holds for all limits here. */
  readonly pathLimits: readonly PathLimit[];
  readonly hosts: readonly HostRule[];
  readonly hostLimits: readonly HostLimit[];
  readonly cidrs: readonly CidrRule[];
  readonly cidrLimits: readonly CidrLimit[];
  readonly rights: readonly RightRule[];
  readonly rightLimits: readonly RightLimit[];
  readonly environment: readonly NameRule[];
  readonly environmentLimits: readonly NameLimit[];
  /** Hosts that may receive the run's identity. */
  readonly identity: readonly HostRule[];
  readonly resources: Resources;
  readonly settings: Settings;
  readonly required: readonly string[];
  /** By the name of a policy that has a say here and names somebody. */
  readonly owners: Readonly<Record<string, PolicyOwner>>;
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
  /** Rules that, taken away together, turn the verdict; empty where nothing that is there could (default deny). */
  readonly decisive: readonly RuleOrigin[];
  /** What the verdict would be without each policy that has a say. */
  readonly without: readonly { readonly policy: string; readonly verdict: Verdict }[];
}
