/** Policies and revisions as an admin sees them. Pure. */
import { advise } from '@cordon/policy/document/advice.ts';
import type { parsePolicy } from '@cordon/policy/document/parse.ts';
import { pointerOf } from '@cordon/policy/document/read.ts';
import { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;

export const Warning = Type.Object(
  { code: Type.String(), pointer: Type.String(), line: Type.Integer(), column: Type.Integer(), message: Type.String() },
  closed,
);

/** What is valid but worth a second look, as `cordon policy check` says it. */
export const warningsOf = ({ document, locate }: ReturnType<typeof parsePolicy>): Static<typeof Warning>[] =>
  advise(document).map(({ code, path, message }) => ({ code, pointer: pointerOf(path), ...locate(path), message }));

export const PolicyView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    revision: Type.Integer(),
    version: Type.Integer(),
    createdAt: Type.String(),
    archivedAt: Type.Union([Type.String(), Type.Null()]),
  },
  closed,
);
export type PolicyView = Static<typeof PolicyView>;

const revision = {
  policyId: Type.String(),
  revision: Type.Integer(),
  digest: Type.String(),
  createdBy: Type.String(),
  createdAt: Type.String(),
};
/** In a list: a page of whole documents could be fifty megabytes. */
export const RevisionSummary = Type.Object(revision, closed);
export type RevisionSummary = Static<typeof RevisionSummary>;
export const RevisionView = Type.Object({ ...revision, document: PolicyDocument, source: Type.String() }, closed);
export type RevisionView = Static<typeof RevisionView>;

export interface PolicyRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly createdAt: Date;
  readonly archivedAt: Date | null;
  readonly revisions: readonly { readonly revision: number }[];
}

export interface RevisionFacts {
  readonly policyId: string;
  readonly revision: number;
  readonly digest: string;
  readonly createdBy: string;
  readonly createdAt: Date;
}
export interface RevisionRow extends RevisionFacts {
  readonly document: unknown;
  readonly source: string;
}

export const showPolicy = ({ id, name, version, createdAt, archivedAt, revisions }: PolicyRow): PolicyView => ({
  id,
  name,
  version,
  revision: revisions[0]?.revision ?? 0,
  createdAt: createdAt.toISOString(),
  archivedAt: archivedAt?.toISOString() ?? null,
});

export const summariseRevision = ({ createdAt, ...row }: RevisionFacts): RevisionSummary => ({
  ...row,
  createdAt: createdAt.toISOString(),
});
export const showRevision = ({ document, createdAt, ...row }: RevisionRow): RevisionView => ({
  ...row,
  document: document as PolicyDocument,
  createdAt: createdAt.toISOString(),
});

/** What a document says, whatever its spelling: comments and order of keys do not count. */
export const documentDigest = (document: PolicyDocument): string => sha256Hex(canonicalJson(document));
