/** Rules of one policy, ready to be resolved: ids computed, hosts canonical, paths taken apart. */
import type {
  CidrLimit,
  CidrRule,
  HostLimit,
  HostRule,
  Isolation,
  NameLimit,
  NameRule,
  OnExpiry,
  PolicyOwner,
  Privacy,
  RightLimit,
  RightRule,
  RuleOrigin,
  Stated,
  Uncontained,
} from '../effective.ts';
import type { PathTemplate } from './variables.ts';

export interface PreparedPath {
  readonly template: PathTemplate;
  readonly access: 'read' | 'write' | 'access';
  readonly effect: 'allow' | 'deny';
  readonly origin: RuleOrigin;
}

export interface PreparedPaths {
  readonly access: 'read' | 'write';
  readonly templates: readonly PathTemplate[];
  readonly origin: RuleOrigin;
}

export interface PreparedPolicy {
  /** Order of policies in every result; two with the same key are the same. */
  readonly key: string;
  readonly name: string;
  readonly mode: 'enforce' | 'audit';
  readonly match: { readonly agents: ReadonlySet<string>; readonly users: ReadonlySet<string>; readonly os: ReadonlySet<string> };
  /** Set when the policy says that nothing starts. */
  readonly noRun: RuleOrigin | undefined;
  readonly allowedPaths: readonly PreparedPath[];
  readonly deniedPaths: readonly PreparedPath[];
  readonly pathLimits: readonly PreparedPaths[];
  readonly allowedHosts: readonly HostRule[];
  readonly deniedHosts: readonly HostRule[];
  readonly hostLimits: readonly HostLimit[];
  readonly allowedCidrs: readonly CidrRule[];
  readonly deniedCidrs: readonly CidrRule[];
  readonly cidrLimits: readonly CidrLimit[];
  readonly allowedRights: readonly RightRule[];
  readonly deniedRights: readonly RightRule[];
  readonly rightLimits: readonly RightLimit[];
  readonly allowedNames: readonly NameRule[];
  readonly deniedNames: readonly NameRule[];
  readonly nameLimits: readonly NameLimit[];
  readonly deniedWorkspaces: readonly PreparedPath[];
  readonly workspaceLimits: readonly PreparedPaths[];
  readonly allowedIdentity: readonly HostRule[];
  readonly deniedIdentity: readonly HostRule[];
  readonly identityLimits: readonly { readonly hosts: ReadonlySet<string>; readonly origin: RuleOrigin }[];
  readonly timeoutMs: Stated<number> | undefined;
  readonly memoryBytes: Stated<number> | undefined;
  readonly cpus: Stated<number> | undefined;
  readonly processes: Stated<number> | undefined;
  readonly uploadBytes: Stated<number> | undefined;
  readonly downloadBytes: Stated<number> | undefined;
  readonly isolation: Stated<Isolation> | undefined;
  readonly onExpiry: OnExpiry | undefined;
  readonly graceMs: number | undefined;
  readonly uncontained: Uncontained | undefined;
  readonly privacy: Partial<Privacy>;
  readonly required: readonly string[];
  readonly owner: PolicyOwner;
}
