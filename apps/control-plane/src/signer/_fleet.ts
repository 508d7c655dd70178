/** A signer with its own folder and keys, and a fleet that asks it as the control plane does: for tests and figures. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { CHECKPOINT_LIFETIME_MS, type CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { firstRoot, nextRoot, signRoot, type RoleKeys } from '@cordon/policy/trust/founding.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import type { RootDocument } from '@cordon/policy/trust/root.ts';
import { signApproval } from '@cordon/policy/approval/signed-approval.ts';
import { targetDigest, type ApprovalPayload } from '@cordon/policy/approval/approval.ts';
import type { Side } from '@cordon/policy/approval/_approvals.ts';
import type { ApprovalToWalk, CheckpointRequest, StandingMark } from './contract.ts';
import { Leaves, type Cohort, type Member } from './leaves.ts';
import { Memory } from './memory.ts';
import { Signer } from './signer.ts';
import { standingDigest } from './standing.ts';

export const keyNamed = (name: string): KeyPair => keyPairFromSeed(Buffer.from(sha256Hex(name), 'hex'));
export const ORG = 'org_a';
const roleOf = (names: readonly string[], threshold = 1): RoleKeys => ({ threshold, keys: names.map((name) => keyNamed(name).jwk) });

export const firstOf = (now: Date): RootDocument =>
  firstRoot({
    org: ORG,
    expiresAt: new Date(now.getTime() + 365 * 86_400_000),
    roles: {
      root: roleOf(['root']),
      floor: roleOf(['floor']),
      approver: roleOf(['approver 1', 'approver 2', 'approver 3'], 2),
      policy: roleOf(['policy']),
      checkpoint: roleOf(['checkpoint']),
      identity: roleOf(['identity']),
    },
  });
export const signedRoot = (document: RootDocument): Promise<string> => signRoot(document, [keyNamed('root')]);
export const raisedFrom = (document: RootDocument): RootDocument =>
  nextRoot(document, { raiseEpoch: true, expiresAt: new Date(document.expiresAt) });
export const approvers = (...numbers: readonly number[]): KeyPair[] => numbers.map((number) => keyNamed(`approver ${number}`));

export interface SignerFolder {
  readonly folder: string;
  readonly state: string;
  readonly mark: string;
  /** Opens it as a new process would. */
  open(clock?: () => Date): Promise<{ readonly signer: Signer; readonly memory: Memory }>;
}

export const makeFolder = (): SignerFolder => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-signer-'));
  const [state, mark] = [path.join(folder, 'state.sqlite'), path.join(folder, 'high-water.json')];
  const keys = { policy: keyNamed('policy'), checkpoint: keyNamed('checkpoint'), identity: keyNamed('identity') };
  return {
    folder,
    state,
    mark,
    open: async (clock = () => new Date()) => {
      const memory = await Memory.open(state, mark);
      return { memory, signer: new Signer(keys, memory, clock) };
    },
  };
};

export interface FleetState {
  readonly members: readonly Member[];
  readonly cohorts: readonly Cohort[];
}

/** Roots of a whole state, computed as anyone can. */
export const rootsOf = ({ members, cohorts }: FleetState): Pick<CheckpointPayload, 'members' | 'cohorts'> => {
  const leaves = new Leaves(ORG);
  leaves.commit({ whole: true, altered: true, members: new Map(members.entries()), cohorts: new Map(cohorts.entries()) });
  leaves.rebuild();
  return leaves.roots;
};

export interface Ask {
  readonly state: FleetState;
  readonly serial: number;
  readonly epoch?: number;
  readonly now?: Date;
  readonly bundles?: readonly string[];
  readonly claims?: CheckpointRequest['claims'];
  readonly approvals?: readonly ApprovalToWalk[];
  readonly standing: StandingMark;
}

export const payloadFor = ({ state, serial, epoch = 0, now = new Date(), standing }: Ask): CheckpointPayload => ({
  format: 'cordon-checkpoint/1',
  org: ORG,
  epoch,
  serial,
  number: serial,
  issuedAt: now.toISOString(),
  expiresAt: new Date(now.getTime() + CHECKPOINT_LIFETIME_MS).toISOString(),
  audit: { seq: 1, head: 'a'.repeat(64) },
  ...rootsOf(state),
  previous: null,
  skip: null,
  standing: standingDigest(standing),
});

/** All leaves at once. */
export const wholeRequest = (ask: Ask): CheckpointRequest => ({
  payload: payloadFor(ask),
  base: null,
  members: ask.state.members.map(({ device, cohort }, i) => [i, device, cohort]),
  cohorts: ask.state.cohorts.map(({ id, digest, serial }, i) => [i, id, digest, serial]),
  claims: ask.claims ?? {},
  bundles: [...(ask.bundles ?? [])],
  approvals: [...(ask.approvals ?? [])],
});

export const NO_STANDING: StandingMark = { approved: null, before: null };

/** What people sign for a target, and what stands once it is walked with this serial. */
export const approve = async (
  side: Side,
  {
    from,
    serial,
    now = new Date(),
    signers = approvers(1, 2),
    change = {},
  }: {
    readonly from: StandingMark['approved'];
    readonly serial: number;
    readonly now?: Date;
    readonly signers?: readonly KeyPair[];
    readonly change?: Partial<ApprovalPayload>;
  },
): Promise<{ readonly approval: ApprovalToWalk; readonly standing: StandingMark }> => {
  const payload: ApprovalPayload = {
    format: 'cordon-approval/1',
    org: ORG,
    epoch: 0,
    from,
    to: targetDigest(side.target),
    issuedAt: now.toISOString(),
    expiresAt: new Date(now.getTime() + 3_600_000).toISOString(),
    wayBackUntil: null,
    ...change,
  };
  const lists = Object.fromEntries(Object.entries(side.lists).map(([group, devices]) => [group, [...devices]]));
  return {
    approval: {
      jws: await signApproval(payload, signers),
      target: side.target,
      lists,
      documents: side.revs.map(({ document }) => canonicalJson(document)),
    },
    standing: {
      approved: { digest: payload.to, serial },
      before: from === null || payload.wayBackUntil === null ? null : { digest: from.digest, until: payload.wayBackUntil },
    },
  };
};
