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

/** New roots that go on from those that are there, and the floor that they sign. @returns whether the chain was still the one seen */
export const updateOrganisation = async (tx: Tx, { roots, floor }: StoredOrganisation, before: readonly string[]): Promise<boolean> =>
  (await tx.organisation.updateMany({ where: { id: 1, rootChain: { equals: [...before] } }, data: { rootChain: [...roots], floor } }))
    .count === 1;
