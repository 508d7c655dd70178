/** Proposals as people see them. Pure. */
import { Target } from '@cordon/policy/approval/approval.ts';
import type { Consequences } from '@cordon/policy/approval/consequences.ts';
import { CATEGORIES } from '@cordon/policy/delta/entry.ts';
import { PolicyDocument } from '@cordon/policy/document/schema.ts';
import type { TrustedRoot } from '@cordon/policy/trust/root.ts';
import { Type, type Static } from 'typebox';
import { stateOf } from './proposal.ts';
import { signersOf } from './proposals.ts';
import type { ProposalSummary, StoredProposal } from './store.ts';

const closed = { additionalProperties: false } as const;
const Nullable = Type.Union([Type.String(), Type.Null()]);
const Ids = Type.Array(Type.String());

const summary = {
  id: Type.String(),
  title: Type.String(),
  state: Type.Enum(['open', 'published', 'superseded', 'expired']),
  signatures: Type.Array(Type.Object({ kid: Type.String(), addedBy: Type.String(), addedAt: Type.String() }, closed), {
    description: "By approvers whom the newest root names; each approver's key counts once",
  }),
  threshold: Type.Integer({ description: 'How many of them it takes' }),
  createdBy: Type.String(),
  createdAt: Type.String(),
  expiresAt: Type.String(),
  closedAt: Nullable,
  changeSet: Nullable,
};
export const ProposalView = Type.Object(summary, closed);

const Side = Type.Object({ target: Target, lists: Type.Record(Type.String(), Ids) }, closed);
const Entry = Type.Object(
  { category: Type.Enum([...CATEGORIES]), target: Type.String(), cause: Type.String(), detail: Type.String() },
  closed,
);
const Change = Type.Object(
  {
    audiences: Type.Array(
      Type.Object(
        {
          listed: Type.Object({ before: Ids, after: Ids }, closed),
          open: Ids,
          devices: Type.Union([Type.Integer(), Type.Null()], { description: 'null: any device that no list names' }),
        },
        closed,
      ),
    ),
    before: Ids,
    after: Ids,
    verdict: Type.Enum(['yes', 'no', 'undecided'], { description: 'Whether it can only take power away' }),
    why: Nullable,
    example: Type.Object(
      { agent: Type.String(), user: Type.String(), os: Type.String(), gained: Type.Array(Entry), lost: Type.Array(Entry) },
      closed,
    ),
  },
  closed,
);

export const ProposalDetail = Type.Object(
  {
    ...summary,
    payload: Type.String({ description: 'Exactly what approvers sign: canonical JSON' }),
    before: Type.Union([Side, Type.Null()], { description: 'What was approved last in this epoch: what `from` in the payload names' }),
    after: Side,
    documents: Type.Array(Type.Object({ digest: Type.String(), document: PolicyDocument }, closed), {
      description: 'Of all policies of both, each once',
    }),
    names: Type.Object({ policies: Type.Record(Type.String(), Type.String()), groups: Type.Record(Type.String(), Type.String()) }, closed),
    changes: Type.Array(Change, { description: 'Computed by the server; cordonctl computes it again' }),
    untold: Type.Integer({ description: 'How many different changes there are beyond these' }),
    devices: Type.Integer({ description: 'Devices that get other policies by it, as groups are now' }),
  },
  closed,
);
export type ProposalDetail = Static<typeof ProposalDetail>;

export const showProposal = (row: ProposalSummary | StoredProposal, root: TrustedRoot, now: Date): Static<typeof ProposalView> => {
  const counted = new Set(signersOf(row, root));
  return {
    id: row.id,
    title: row.title,
    state: stateOf(row, now),
    signatures: row.signatures
      .filter(({ kid }) => counted.has(kid))
      .map(({ kid, addedBy, addedAt }) => ({ kid, addedBy, addedAt: addedAt.toISOString() })),
    threshold: root.document.roles.approver.threshold,
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    closedAt: row.closedAt?.toISOString() ?? null,
    changeSet: row.changeSet,
  };
};

export const showChanges = ({ changes, untold }: Consequences): Pick<ProposalDetail, 'changes' | 'untold'> => ({
  untold,
  changes: changes.map(({ audiences, before, after, verdict, example: { subject, gained, lost } }) => ({
    audiences: audiences.map(({ listed, open, devices }) => ({
      listed: { before: [...listed.before], after: [...listed.after] },
      open: [...open],
      devices: devices ?? null,
    })),
    before: [...before],
    after: [...after],
    verdict: verdict.verdict,
    why: verdict.verdict === 'undecided' ? verdict.why : null,
    example: {
      agent: subject.agent.id,
      user: subject.user,
      os: subject.os,
      gained: gained.map(({ category, target, cause, detail }) => ({ category, target, cause, detail })),
      lost: lost.map(({ category, target, cause, detail }) => ({ category, target, cause, detail })),
    },
  })),
});
