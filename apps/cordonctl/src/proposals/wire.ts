/** Proposals as the server shows them. What a later version adds is passed over. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { Target } from '@cordon/policy/approval/approval.ts';
import { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { HexDigest } from '@cordon/policy/protocol/enrollment.ts';

const Side = Type.Object({ target: Target, lists: Type.Record(Type.String(), Type.Array(Type.String({ maxLength: 64 }))) });
const Names = Type.Record(Type.String(), Type.String());
const summary = {
  id: Type.String({ pattern: '^prp_[A-Za-z0-9_-]{1,60}$' }),
  title: Type.String(),
  state: Type.Enum(['open', 'published', 'superseded', 'expired']),
  signatures: Type.Array(Type.Object({ kid: Type.String(), addedBy: Type.String(), addedAt: Type.String() })),
  threshold: Type.Integer({ minimum: 1 }),
  createdBy: Type.String(),
  createdAt: Type.String(),
  expiresAt: Type.String(),
};
const Summary = Type.Object(summary);
export type ProposalSummary = Static<typeof Summary>;
const Detail = Type.Object({
  ...summary,
  payload: Type.String({ maxLength: 4096 }),
  before: Type.Union([Side, Type.Null()]),
  after: Side,
  documents: Type.Array(Type.Object({ digest: HexDigest, document: PolicyDocument })),
  names: Type.Object({ policies: Names, groups: Names }),
  devices: Type.Integer(),
});
export type ProposalDetail = Static<typeof Detail>;

export const summaryReply = Compile(Summary);
export const detailReply = Compile(Detail);
export const pageReply = Compile(Type.Object({ items: Type.Array(Summary), next: Type.Union([Type.String(), Type.Null()]) }));
