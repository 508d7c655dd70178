/** Policies and revisions as an admin sees them. Pure. */
import { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;

export const PolicyView = Type.Object(
  { id: Type.String(), name: Type.String(), revision: Type.Integer(), version: Type.Integer(), createdAt: Type.String() },
  closed,
);
export type PolicyView = Static<typeof PolicyView>;

export const RevisionView = Type.Object(
  {
    policyId: Type.String(),
    revision: Type.Integer(),
    digest: Type.String(),
    document: PolicyDocument,
    source: Type.String(),
    createdBy: Type.String(),
    createdAt: Type.String(),
  },
  closed,
);
export type RevisionView = Static<typeof RevisionView>;

export interface PolicyRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly createdAt: Date;
  readonly revisions: readonly { readonly revision: number }[];
}

export interface RevisionRow {
  readonly policyId: string;
  readonly revision: number;
  readonly document: unknown;
  readonly digest: string;
  readonly source: string;
  readonly createdBy: string;
  readonly createdAt: Date;
}

export const showPolicy = ({ id, name, version, createdAt, revisions }: PolicyRow): PolicyView => ({
  id,
  name,
  version,
  revision: revisions[0]?.revision ?? 0,
  createdAt: createdAt.toISOString(),
});

export const showRevision = ({ document, createdAt, ...row }: RevisionRow): RevisionView => ({
  ...row,
  document: document as PolicyDocument,
  createdAt: createdAt.toISOString(),
});

/** What a document says, whatever its spelling: comments and order of keys do not count. */
export const documentDigest = (document: PolicyDocument): string => sha256Hex(canonicalJson(document));
