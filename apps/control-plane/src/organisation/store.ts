import type { Tx } from '../context.ts';

export interface StoredOrganisation {
  readonly orgId: string;
  readonly roots: readonly string[];
  readonly floor: string;
}

export const readOrganisation = async (tx: Tx): Promise<StoredOrganisation | undefined> => {
  const row = await tx.organisation.findUnique({ where: { id: 1 } });
  return row === null ? undefined : { orgId: row.orgId, roots: row.rootChain as string[], floor: row.floor };
};

/** @returns whether this call made it: another replica may have been faster */
export const insertOrganisation = async (
  tx: Tx,
  { orgId, roots, floor }: StoredOrganisation,
  name: string,
  createdAt: Date,
): Promise<boolean> =>
  (await tx.organisation.createMany({ data: [{ id: 1, orgId, name, rootChain: [...roots], floor, createdAt }], skipDuplicates: true }))
    .count === 1;
