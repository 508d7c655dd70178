/** What one run on one machine used and was refused, as a manifest of the program and as a policy that would give what was missing. For people to review. */
import { stringify } from 'yaml';
import type { PathVariables } from '../effective.ts';
import type { AgentManifest, Needs } from '../manifest/schema.ts';
import type { RecordedAccess } from '../simulate/recorded.ts';
import { learn } from './learn.ts';
import type { Proposal } from './proposal.ts';

export interface Lesson {
  /** What manifest and policy are called: `^[a-z0-9][a-z0-9-]{0,62}$`. */
  readonly name: string;
  /** Whom the manifest is for, where that is known. */
  readonly agent?: string;
  readonly used: readonly RecordedAccess[];
  readonly refused: readonly RecordedAccess[];
  readonly variables: PathVariables;
}

export interface LocalProposal {
  readonly manifest: AgentManifest;
  /** YAML. */
  readonly manifestText: string;
  /** YAML; undefined where nothing was refused that a policy could give. */
  readonly policyText: string | undefined;
  /** Accesses that are in neither, by reason. */
  readonly withheld: readonly { readonly reason: string; readonly count: number }[];
}

/** One run says little of a folder; this many names in it say something. */
const MIN_SIBLINGS = 5;
const MIN_SUBDOMAINS = 3;

const needsOf = ({ document: { spec } }: Proposal): Needs => {
  const { filesystem, network } = spec.allow ?? {};
  return { ...(filesystem !== undefined && { filesystem }), ...(network?.hosts !== undefined && { network: { hosts: network.hosts } }) };
};

/** Pure. What was used is required, since without it the program did not do what it did; what was refused is optional, since it went on without. */
export const learnLocally = ({ name, agent, used, refused, variables }: Lesson): LocalProposal => {
  const proposed = (events: readonly RecordedAccess[]): Proposal =>
    learn(events, {
      name,
      minDevices: 1,
      minSiblings: MIN_SIBLINGS,
      minSubdomains: MIN_SUBDOMAINS,
      privateHosts: true,
      variablesFor: () => variables,
    });
  const [has, wants] = [proposed(used), proposed(refused)];
  const manifest: AgentManifest = {
    apiVersion: 'cordon/v1',
    kind: 'AgentManifest',
    metadata: { name, ...(agent !== undefined && { agent }), description: 'Learned from one run: review it before you rely on it' },
    needs: {
      ...(has.rules.length > 0 && { required: needsOf(has) }),
      ...(wants.rules.length > 0 && { optional: needsOf(wants) }),
    },
  };
  const reasons = new Map<string, number>();
  for (const { reason, count } of [...has.withheld, ...wants.withheld]) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  return {
    manifest,
    manifestText: stringify(manifest, { lineWidth: 0 }),
    policyText: wants.rules.length === 0 ? undefined : stringify(wants.document, { lineWidth: 0 }),
    withheld: [...reasons].map(([reason, count]) => ({ reason, count })).sort((a, b) => (a.reason < b.reason ? -1 : 1)),
  };
};
