/** What a ceremony of keys made for this server: public documents, and the sealed online keys. The server believes none of it before it has verified it. */
import fs from 'node:fs';
import path from 'node:path';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { verifyFloor } from '@cordon/policy/trust/floor.ts';
import { rootFingerprint, verifyRootChain } from '@cordon/policy/trust/root.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { signerFiles } from '../signer/organisation.ts';
import { writeDurably } from '../durable.ts';
import { openKeys } from '../signer/key-file.ts';
import type { StoredOrganisation } from './store.ts';

const OrganisationFile = Compile(
  Type.Object(
    {
      format: Type.Literal('cordon-organisation/1'),
      org: Type.String({ minLength: 1, maxLength: 64 }),
      roots: Type.Array(Type.String({ maxLength: 65_536 }), { minItems: 1, maxItems: 256 }),
      floor: Type.String({ maxLength: 262_144 }),
    },
    { additionalProperties: false },
  ),
);

/** @throws CordonError organisation.ceremony, root.*, floor.* */
export const readCeremony = async (folder: string, now: Date): Promise<StoredOrganisation> => {
  const file = path.join(folder, 'organisation.json');
  if (!fs.existsSync(file))
    throw new CordonError(
      'organisation.ceremony',
      `there is no ${file}: CORDON_ORGANISATION is the folder "server" that cordonctl keys wrote`,
      { place: 'CORDON_ORGANISATION' },
    );
  const value = parseStrictJson(fs.readFileSync(file), { maxBytes: 20_000_000, maxDepth: 4 });
  if (!OrganisationFile.Check(value))
    throw new CordonError('organisation.ceremony', `${file} is not what cordonctl keys writes`, { place: file });
  const { org, roots, floor } = value;
  const root = await verifyRootChain(roots, rootFingerprint(roots[0] ?? ''), now);
  if (root.document.org !== org)
    throw new CordonError('organisation.ceremony', `${file} names another organisation than its root`, { place: file });
  await verifyFloor(floor, root);
  return { orgId: org, roots, floor };
};

/** Takes the online keys into the signer's folder, where the folder brings any that are not there. Whether the root names them is seen by what they sign. @throws CordonError signer.* */
export const installKeys = (folder: string, signerFolder: string): void => {
  const [from, to] = [signerFiles(folder), signerFiles(signerFolder)];
  if (!fs.existsSync(from.keys)) return;
  openKeys(from.keys, from.passphrase);
  const sealed = fs.readFileSync(from.keys, 'utf8');
  if (fs.existsSync(to.keys) && fs.readFileSync(to.keys, 'utf8') === sealed) return;
  fs.mkdirSync(signerFolder, { recursive: true, mode: 0o700 });
  // The passphrase first: keys without theirs would be of no use, and the old keys are of none either.
  writeDurably(to.passphrase, fs.readFileSync(from.passphrase, 'utf8'));
  writeDurably(to.keys, sealed);
};

/** Whether one chain of roots goes on from another. */
export const goesOn = (stored: readonly string[], brought: readonly string[]): boolean =>
  stored.length <= brought.length && stored.every((root, i) => root === brought[i]);

/** Whether a root has expired is for whoever believes it, not for who compares. */
const BEFORE_ALL = new Date(0);

/** What the newest root and the floor say of themselves. @throws CordonError root.*, floor.* */
export const versionsOf = async ({
  roots,
  floor,
}: Pick<StoredOrganisation, 'roots' | 'floor'>): Promise<{ readonly epoch: number; readonly floor: number }> => {
  const root = await verifyRootChain(roots, rootFingerprint(roots[0] ?? ''), BEFORE_ALL);
  return { epoch: root.document.epoch, floor: (await verifyFloor(floor, root)).version };
};
