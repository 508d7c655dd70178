/** A proposal: the draft as it stood when people were asked to approve it, and exactly what they sign. Pure. */
import {
  MAX_APPROVAL_MS,
  membersDigest,
  targetDigest,
  Target,
  type ApprovalPayload,
  type TargetGroup,
} from '@cordon/policy/approval/approval.ts';
import { durationMs } from '@cordon/policy/document/units.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { openGeneral } from '@cordon/policy/trust/envelope.ts';
import type { TrustedRoot } from '@cordon/policy/trust/root.ts';
import { Compile } from 'typebox/compile';
import type { Snapshot } from '../publishing/cohorts.ts';

/** Members of the listed groups, each list sorted. */
export type Lists = Readonly<Record<string, readonly string[]>>;

export const mutableLists = (lists: Lists): Record<string, string[]> =>
  Object.fromEntries(Object.entries(lists).map(([group, ids]) => [group, [...ids]]));

export interface FrozenGroup {
  readonly membership: string;
  /** Of a listed group: its devices, revoked ones left out. */
  readonly devices: readonly string[];
}

export interface Frozen {
  readonly target: Target;
  readonly lists: Lists;
}

const isTarget = Compile(Target);

const inOrder = <T>(items: readonly T[], keyOf: (item: T) => string): T[] => items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));

const membersOf = (group: string, { membership, devices }: FrozenGroup): TargetGroup => {
  if (membership === 'all') return { group, members: { kind: 'all' } };
  return membership === 'open'
    ? { group, members: { kind: 'open' } }
    : { group, members: { kind: 'listed', count: devices.length, digest: membersDigest(devices) } };
};

/**
 * What decides who gets what, taken down.
 * @param digestOf of a policy's revision
 * @throws CordonError publish.document-missing, publish.too-large
 */
export const freeze = (
  { policies, assignments, exceptions }: Snapshot,
  digestOf: (policy: string, revision: number) => string | undefined,
  groups: ReadonlyMap<string, FrozenGroup>,
): Frozen => {
  const used = new Set([...assignments, ...exceptions].map(({ groupId }) => groupId));
  const named = [...groups].filter(([id]) => used.has(id));
  const target: Target = {
    format: 'cordon-target/1',
    policies: inOrder(
      policies.map(({ id, name, revision }) => {
        const digest = digestOf(id, revision);
        if (digest === undefined)
          throw new CordonError(
            'publish.document-missing',
            `revision ${revision} of policy ${name} is not in the database; publish another`,
          );
        return { policy: id, revision, digest };
      }),
      ({ policy }) => policy,
    ),
    assignments: inOrder(
      assignments.map(({ id, policyId, groupId, mode }) => ({ assignment: id, policy: policyId, group: groupId, mode })),
      ({ assignment }) => assignment,
    ),
    groups: inOrder(
      named.map(([id, group]) => membersOf(id, group)),
      ({ group }) => group,
    ),
    ...(exceptions.length > 0 && {
      exceptions: inOrder(
        exceptions.map(({ id, name, expiresAt, change, groupId }) => ({ id, name, expiresAt, change, group: groupId })),
        ({ id }) => id,
      ),
    }),
  };
  if (!isTarget.Check(target))
    throw new CordonError(
      'publish.too-large',
      'more policies, assignments or groups than one proposal can hold: assign policies to larger groups',
    );
  const lists = named.flatMap(([id, { membership, devices }]) => (membership === 'listed' ? [[id, devices.toSorted()] as const] : []));
  return { target, lists: Object.fromEntries(lists) };
};

/** How long people have to approve and publish a proposal. */
export const PROPOSAL_MS = 7 * 86_400_000;

/** @param text as `7d` or `12h`. @throws CordonError proposal.way-back */
export const wayBackMs = (text: string): number => {
  const ms = durationMs(text);
  if (ms > 0 && ms <= MAX_APPROVAL_MS) return ms;
  throw new CordonError('proposal.way-back', `the way back may stand open for at most ${MAX_APPROVAL_MS / 86_400_000} days, not ${text}`);
};

export interface Asked {
  readonly org: string;
  readonly epoch: number;
  /** The target that was approved last in this epoch, and the serial under which it came into force. */
  readonly from: ApprovalPayload['from'];
  readonly target: Target;
  readonly now: Date;
  /** How long what is in force now may come back without another approval; undefined: not at all. */
  readonly wayBack: string | undefined;
}

export const payloadFor = ({ org, epoch, from, target, now, wayBack }: Asked): ApprovalPayload => ({
  format: 'cordon-approval/1',
  org,
  epoch,
  from,
  to: targetDigest(target),
  issuedAt: now.toISOString(),
  expiresAt: new Date(now.getTime() + PROPOSAL_MS).toISOString(),
  wayBackUntil: wayBack === undefined || from === null ? null : new Date(now.getTime() + wayBackMs(wayBack)).toISOString(),
});

/** The text that is signed: canonical, so that there is one. */
export const payloadText = (payload: ApprovalPayload): string => canonicalJson(payload);
/** What was stored as such a text. */
export const payloadOf = (text: string): ApprovalPayload => JSON.parse(text) as ApprovalPayload;

export interface StoredSignature {
  readonly kid: string;
  readonly protected: string;
  readonly signature: string;
}

/**
 * Signatures over exactly this payload by approvers that the newest root names; a signature by any other key is none.
 * @throws CordonError proposal.other-payload, proposal.unknown-approver, jws.*, json.*
 */
export const readSignatures = async (jws: string, payload: string, root: TrustedRoot): Promise<readonly StoredSignature[]> => {
  const keys = root.keys('approver');
  const { kids, payloadText: signed } = await openGeneral(jws, { typ: 'cordon-approval+jws', keys, maxBytes: 65_536 });
  if (signed !== payload)
    throw new CordonError(
      'proposal.other-payload',
      'what was signed is not what this proposal asks for: read the proposal again and sign its payload',
    );
  if (kids.size === 0)
    throw new CordonError(
      'proposal.unknown-approver',
      "none of the signatures is by an approver whom the organisation's newest root names: sign with an approver's key (cordonctl keys show names them)",
    );
  const { signatures } = JSON.parse(jws) as { signatures: readonly Omit<StoredSignature, 'kid'>[] };
  const kidOf = (header: string): string => (JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as { kid: string }).kid;
  return signatures
    .map(({ protected: header, signature }) => ({ kid: kidOf(header), protected: header, signature }))
    .filter(({ kid }, i, all) => kids.has(kid) && all.findIndex((other) => other.kid === kid) === i);
};

/** All signatures as one approval, as the signer wants it. */
export const approvalJws = (payload: string, signatures: readonly StoredSignature[]): string =>
  JSON.stringify({
    payload: Buffer.from(payload).toString('base64url'),
    signatures: signatures.map(({ protected: header, signature }) => ({ protected: header, signature })),
  });

export type ProposalState = 'open' | 'published' | 'superseded' | 'expired';

/** An open one whose time is over was not closed by anybody. */
export const stateOf = ({ state, expiresAt }: { readonly state: string; readonly expiresAt: Date }, now: Date): ProposalState => {
  if (state === 'published' || state === 'superseded') return state;
  return expiresAt <= now ? 'expired' : 'open';
};
