/** The first documents of an organisation, and new versions of its root: what a ceremony signs. */
import type { PolicyDocument } from '../document/schema.ts';
import { CordonError } from '../errors.ts';
import type { DeviceJwk } from '../protocol/enrollment.ts';
import { signGeneral, type Signer } from './envelope.ts';
import type { RequiredRole, RootDocument, RoleName } from './root.ts';

export const ROLE_NAMES = [
  'root',
  'floor',
  'approver',
  'policy',
  'checkpoint',
  'identity',
  'witness',
] as const satisfies readonly RoleName[];

export interface RoleKeys {
  readonly threshold: number;
  readonly keys: readonly DeviceJwk[];
}

export interface Founding {
  readonly org: string;
  readonly expiresAt: Date;
  readonly roles: Readonly<Record<RequiredRole, RoleKeys> & { witness?: RoleKeys }>;
}

const mutable = ({ threshold, keys }: RoleKeys): RootDocument['roles']['root'] => ({ threshold, keys: keys.map((jwk) => ({ ...jwk })) });

/** The first root document. Unsigned. */
export const firstRoot = ({ org, expiresAt, roles }: Founding): RootDocument => ({
  format: 'cordon-root/1',
  org,
  version: 1,
  epoch: 0,
  expiresAt: expiresAt.toISOString(),
  roles: {
    root: mutable(roles.root),
    floor: mutable(roles.floor),
    approver: mutable(roles.approver),
    policy: mutable(roles.policy),
    checkpoint: mutable(roles.checkpoint),
    identity: mutable(roles.identity),
    ...(roles.witness !== undefined && { witness: mutable(roles.witness) }),
  },
});

export interface RootChange {
  readonly role?: RoleName;
  /** Replaces all keys of the role; none at all take the role away, which only witnesses can be. */
  readonly keys?: RoleKeys;
  /** After a restore or the loss of the signer: what was signed in the epoch before no longer counts. */
  readonly raiseEpoch?: boolean;
  readonly expiresAt: Date;
}

/** The root document that follows another. Unsigned; it must be signed by the root keys of both. */
export const nextRoot = (root: RootDocument, { role, keys, raiseEpoch = false, expiresAt }: RootChange): RootDocument => {
  const { witness: _witness, ...required } = root.roles;
  const isRemoval = role === 'witness' && keys?.keys.length === 0;
  const changed = role === undefined || keys === undefined ? root.roles : { ...root.roles, [role]: mutable(keys) };
  return {
    ...root,
    version: root.version + 1,
    epoch: root.epoch + (raiseEpoch ? 1 : 0),
    expiresAt: expiresAt.toISOString(),
    roles: isRemoval ? required : changed,
  };
};

export const signRoot = (document: RootDocument, signers: readonly Signer[]): Promise<string> =>
  signGeneral(document, 'cordon-root+jws', signers);

/** @throws CordonError `floor.allow` for a document that grants something */
export const signFloor = (org: string, version: number, document: PolicyDocument, signers: readonly Signer[]): Promise<string> => {
  if (document.spec.allow !== undefined)
    throw new CordonError('floor.allow', 'a floor only narrows: it may have deny and limit, never allow');
  return signGeneral({ format: 'cordon-floor/1', org, version, document }, 'cordon-floor+jws', signers);
};
