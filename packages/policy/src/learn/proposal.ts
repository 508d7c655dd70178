/** What learning gives: a policy to review, with what supports each rule, what was seen at all, and what was kept out of it and why. */
import type { HostEntry, PolicyDocument } from '../document/schema.ts';
import type { VariablesFor } from '../simulate/recorded.ts';

export interface LearnOptions {
  /** Name of the proposed policy. */
  readonly name: string;
  /** Whose attempts count, and whom the policy is for; everyone unless said. */
  readonly agents?: readonly string[];
  /** Nothing that fewer devices saw is told, in a rule or otherwise. At least 1. */
  readonly minDevices: number;
  /** A folder is proposed when so many different names in it were used. At least 2. */
  readonly minSiblings: number;
  /** `*.domain` is proposed when so many different names below one registrable domain were used at one port. At least 2. */
  readonly minSubdomains: number;
  /** Whether private hosts may be proposed: each by its exact name, with `private: true`. */
  readonly privateHosts?: boolean;
  /** What path variables stood for; files of which it does not know are withheld. */
  readonly variablesFor?: VariablesFor;
}

/** Why an attempt is in no rule. */
export type WithheldReason =
  /** A host, port or path that is none. */
  | 'not-understood'
  /** Of another agent, or of one that was only claimed: anybody could have made it up. */
  | 'other-agent'
  | 'not-proven'
  | 'too-few-devices'
  | 'private-host'
  /** Nobody knows what home and workspace were. */
  | 'without-variables'
  /** What no policy can grant, or what is like it in somebody else's home. */
  | 'never-granted'
  /** Writing what a later program would execute. */
  | 'never-written'
  | 'system-place'
  /** A home, what holds one, a top-level folder, or a folder with something that is never granted. */
  | 'too-wide'
  /** A name that rules cannot say: globs, or what Windows reads as another. */
  | 'not-expressible'
  /** Beyond what one policy, or one proposal, holds. */
  | 'too-many';

export interface LearnedRule {
  readonly section: 'network.hosts' | 'filesystem.read' | 'filesystem.write';
  readonly rule: HostEntry | string;
  /** Attempts that it allows, and on how many devices. */
  readonly support: number;
  readonly devices: number;
}

export interface Coverage {
  readonly attempts: number;
  readonly devices: number;
}

export interface Proposal {
  readonly document: PolicyDocument;
  readonly rules: readonly LearnedRule[];
  /** What the proposal knows of at all: of all devices heard of, those whose network and those whose files were recorded. */
  readonly coverage: { readonly devices: number; readonly network: Coverage; readonly files: Coverage; readonly says: string };
  /** Attempts, by reason. */
  readonly withheld: readonly { readonly reason: WithheldReason; readonly count: number }[];
}
