/** Makes the keys and first documents of a throw-away organisation: for trying and for tests. A real one makes root and floor keys offline. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { firstRoot, signFloor, signRoot, type RoleKeys } from '@cordon/policy/trust/founding.ts';
import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import { ONLINE_ROLES, sealSeeds } from './key-file.ts';

const YEAR_MS = 365 * 86_400_000;
const OFFLINE_ROLES = ['root', 'floor', 'approver'] as const;

export interface Organisation {
  readonly orgId: string;
  readonly roots: readonly string[];
  readonly floor: string;
}

/** Files of the signer in its folder. */
export interface SignerFiles {
  readonly keys: string;
  readonly offline: string;
  readonly passphrase: string;
  /** Everything that it knows. */
  readonly memory: string;
  /** The highest serial that it signed, beside it: an older state in its place is found out. */
  readonly state: string;
  readonly socket: string;
}

export const signerFiles = (folder: string): SignerFiles => ({
  keys: path.join(folder, 'online-keys.json'),
  offline: path.join(folder, 'offline-keys.json'),
  passphrase: path.join(folder, 'passphrase'),
  memory: path.join(folder, 'state.sqlite'),
  state: path.join(folder, 'high-water.json'),
  socket: path.join(folder, 'signer.sock'),
});

/** @param folder the signer's own; made with mode 0700. @returns the signed documents; the private keys stay in the folder, sealed */
export const makeOrganisation = async (folder: string, orgId: string, now: Date): Promise<Organisation> => {
  const files = signerFiles(folder);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!fs.existsSync(files.passphrase)) fs.writeFileSync(files.passphrase, randomBytes(32).toString('base64url'), { mode: 0o600 });
  const seeds = Object.fromEntries([...ONLINE_ROLES, ...OFFLINE_ROLES].map((role) => [role, randomBytes(32)]));
  const pair = (role: string): ReturnType<typeof keyPairFromSeed> => keyPairFromSeed(seeds[role] ?? Buffer.alloc(0));
  const only = (role: string): RoleKeys => ({ threshold: 1, keys: [pair(role).jwk] });
  const root = firstRoot({
    org: orgId,
    expiresAt: new Date(now.getTime() + YEAR_MS),
    roles: {
      root: only('root'),
      floor: only('floor'),
      approver: only('approver'),
      policy: only('policy'),
      checkpoint: only('checkpoint'),
      identity: only('identity'),
    },
  });
  const floor: PolicyDocument = {
    apiVersion: 'cordon/v1',
    kind: 'ContainmentPolicy',
    metadata: { name: 'floor', description: 'Holds whatever the online keys say' },
    spec: { limit: { resources: { timeout: '7d' } } },
  };
  const sealed = (roles: readonly string[]): Record<string, string> =>
    Object.fromEntries(roles.map((role) => [role, (seeds[role] ?? Buffer.alloc(0)).toString('base64url')]));
  sealSeeds(files.keys, files.passphrase, sealed(ONLINE_ROLES));
  sealSeeds(files.offline, files.passphrase, sealed(OFFLINE_ROLES));
  return {
    orgId,
    roots: [await signRoot(root, [pair('root')])],
    floor: await signFloor(orgId, 1, floor, [pair('floor')]),
  };
};
