/** The approver's key of a throw-away organisation, in a file such as `cordonctl approve --key` opens: a trial approves with the command of a real organisation. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { openSeeds, sealSeeds } from '@cordon/policy/trust/sealed-seeds.ts';
import { writeDurably } from '../durable.ts';
import { signerFiles } from './organisation.ts';

/** `FILE`, and `FILE.passphrase` beside it. */
export const trialApproverFile = (signerFolder: string): string => path.join(signerFolder, 'approver.key');

/** Writes it where it is not there yet; an organisation that was made by a ceremony keeps its approvers' keys elsewhere and gets none. */
export const offerTrialApprover = (signerFolder: string): void => {
  const { offline, passphrase } = signerFiles(signerFolder);
  const file = trialApproverFile(signerFolder);
  if (!fs.existsSync(offline) || fs.existsSync(file)) return;
  const { approver = '' } = openSeeds(fs.readFileSync(offline, 'utf8'), fs.readFileSync(passphrase));
  const secret = randomBytes(24).toString('base64url');
  writeDurably(`${file}.passphrase`, secret);
  writeDurably(file, sealSeeds({ key: approver }, Buffer.from(secret), { salt: randomBytes(16), iv: randomBytes(12) }));
};
