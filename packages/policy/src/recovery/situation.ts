/** What an installation needs before its fleet goes on, seen from what it says of itself. Pure: `cordonctl recover` asks again after each step. */
import { canonicalJson } from '../trust/canonical-json.ts';
import { sha256Hex } from '../trust/digest.ts';
import { verifyRootChain, type TrustedRoot } from '../trust/root.ts';
import { isTrouble, type Database, type Inspection } from './facts.ts';

/** What is the matter, in the order in which it must be mended. */
export type SituationCode =
  | 'database-unreachable'
  | 'nothing-here'
  | 'database-lost'
  | 'signer-lost'
  | 'signer-unknown'
  | 'roots-behind'
  | 'restore-unnoted'
  | 'one-ahead'
  | 'epoch-closed'
  | 'root-expired'
  | 'start'
  | 'approve-once'
  | 'root-expiring'
  | 'whole';

export interface Situation {
  readonly code: SituationCode;
  /** What is seen, for people. */
  readonly sees: string;
}

const SOON_MS = 30 * 86_400_000;
/** What a checkpoint carries while nobody has approved anything in its epoch. */
const NOTHING_APPROVED = sha256Hex(canonicalJson({ approved: null, before: null }));

const keysAreNamed = (root: TrustedRoot, keys: { readonly policy: string; readonly checkpoint: string }): boolean =>
  root.keys('policy').has(keys.policy) && root.keys('checkpoint').has(keys.checkpoint);

/** The signer and the roots, of a database that is there. */
const inspectTrust = (
  root: TrustedRoot,
  { newest }: Database,
  { keys, mark, closed }: Inspection['signer'],
  now: Date,
): Situation | undefined => {
  const { epoch, version, expiresAt } = root.document;
  const lost = (why: string): Situation => ({ code: 'signer-lost', sees: `the signer ${why}` });
  if (keys === null) return lost('has no keys');
  if (isTrouble(keys)) return lost(`cannot open its keys (${keys.message})`);
  if (isTrouble(mark)) return lost(`does not know what it has signed (${mark.message})`);
  if (mark !== null && mark.epoch > epoch)
    return {
      code: 'roots-behind',
      sees: `the signer has signed in epoch ${mark.epoch}, and the newest root that the database has, version ${version}, says epoch ${epoch}`,
    };
  if (!keysAreNamed(root, keys)) return { code: 'signer-unknown', sees: `root version ${version} does not name the keys of this signer` };
  if (mark !== null && mark.epoch === epoch && closed)
    return { code: 'epoch-closed', sees: `a backup was restored: nothing more is signed in epoch ${epoch}` };
  if (mark !== null && mark.epoch === epoch) {
    const at = newest?.epoch === epoch ? newest.serial : 0;
    const sees = `the signer has signed serial ${mark.serial} of epoch ${epoch}, and the database is at ${at}`;
    if (mark.serial === at + 1 && newest !== null) return { code: 'one-ahead', sees };
    if (mark.serial > at) return { code: 'restore-unnoted', sees: `${sees}: an older database was put in its place` };
  }
  if (!(Date.parse(expiresAt) > now.getTime())) return { code: 'root-expired', sees: `root version ${version} is over since ${expiresAt}` };
  return undefined;
};

/** @throws CordonError `root.*` when the chain in the database does not verify */
export const situationOf = async ({ database, signer, stateDir, running }: Inspection, now: Date): Promise<Situation> => {
  if (isTrouble(database)) return { code: 'database-unreachable', sees: `${database.message} (${database.code})` };
  if (database === null)
    return signer.keys === null
      ? { code: 'nothing-here', sees: `${stateDir} has no signer, and there is no organisation in the database` }
      : { code: 'database-lost', sees: 'the signer is there, and there is no organisation in the database' };
  const root = await verifyRootChain(database.roots, database.fingerprint, new Date(0));
  const { epoch, version, expiresAt } = root.document;
  const trouble = inspectTrust(root, database, signer, now);
  if (trouble !== undefined) return trouble;
  if (!running && (database.newest === null || database.newest.epoch < epoch || database.owners === 0))
    return { code: 'start', sees: `everything is there for epoch ${epoch}; the service has not begun it yet` };
  if (database.standing === NOTHING_APPROVED && database.devices > 0)
    return {
      code: 'approve-once',
      sees: `in epoch ${epoch} nobody has approved anything yet: devices keep what they have, and nothing that is not narrower can be published`,
    };
  if (Date.parse(expiresAt) - now.getTime() < SOON_MS)
    return { code: 'root-expiring', sees: `root version ${version} is over at ${expiresAt}` };
  return { code: 'whole', sees: `root version ${version}, epoch ${epoch}, serial ${database.newest?.serial ?? 0}: nothing is the matter` };
};
