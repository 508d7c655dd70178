/** Groups as an admin sees them. Pure. */
import { Type, type Static } from 'typebox';

/** The built-in group of every device. It has no member rows and cannot be changed. */
export const ALL_DEVICES = {
  id: 'grp_all-devices-000000000',
  name: 'All devices',
  kind: 'all',
  membership: 'all',
  description: 'Every enrolled device',
} as const;

/**
 * Who says who is in a group. `listed`: its members are approved together with what it gets, so a new member waits for an approval where it would gain
 * something. `open`: whoever is put there gets it, by enrollment tokens too; what an open group gets, any device may get.
 */
export const Membership = Type.Union([Type.Literal('listed'), Type.Literal('open')]);
export type Membership = Static<typeof Membership>;

export const GroupView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    kind: Type.Union([Type.Literal('all'), Type.Literal('static'), Type.Literal('dynamic')]),
    rule: Type.Union([Type.String(), Type.Null()], { description: 'Of a dynamic group: the filter whose devices are its members' }),
    membership: Type.Union([Type.Literal('all'), Membership]),
    description: Type.String(),
    version: Type.Integer(),
    members: Type.Integer(),
    createdAt: Type.String(),
  },
  { additionalProperties: false },
);
export type GroupView = Static<typeof GroupView>;

export interface GroupRow {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly rule: string | null;
  readonly membership: string;
  readonly description: string;
  readonly version: number;
  readonly createdAt: Date;
  readonly _count: { readonly members: number };
}

/** @param everyone how many devices there are: the size of the built-in group */
export const showGroup = ({ _count, createdAt, kind, membership, ...row }: GroupRow, everyone: number): GroupView => ({
  id: row.id,
  name: row.name,
  kind: kind === 'all' ? 'all' : row.rule === null ? 'static' : 'dynamic',
  rule: row.rule,
  membership: kind === 'all' ? 'all' : membership === 'open' ? 'open' : 'listed',
  description: row.description,
  version: row.version,
  members: kind === 'all' ? everyone : _count.members,
  createdAt: createdAt.toISOString(),
});
