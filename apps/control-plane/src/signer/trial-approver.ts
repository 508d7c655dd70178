/** The offline keys of a throw-away organisation, in files such as `cordonctl` opens: a trial approves, signs a floor and recovers with the commands of a real organisation. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { openSeeds, sealSeeds } from '@cordon/policy/trust/sealed-seeds.ts';
import { writeDurably } from '../durable.ts';
import { signerFiles } from './organisation.ts';

const trialFile = (signerFolder: string, role: 'root' | 'floor' | 'approver'): string => path.join(signerFolder, `${role}.key`);

/** `FILE`, and `FILE.passphrase` beside it. */
export const trialApproverFile = (signerFolder: string): string => trialFile(signerFolder, 'approver');

/** Writes those that are not there yet; an organisation that was made by a ceremony keeps its offline keys elsewhere and gets none. */
export const offerTrialKeys = (signerFolder: string): void => {
  const { offline, passphrase } = signerFiles(signerFolder);
  if (!fs.existsSync(offline)) return;
  const missing = (['root', 'floor', 'approver'] as const).filter((role) => !fs.existsSync(trialFile(signerFolder, role)));
  if (missing.length === 0) return;
  const seeds = openSeeds(fs.readFileSync(offline, 'utf8'), fs.readFileSync(passphrase));
  for (const role of missing) {
    const secret = randomBytes(24).toString('base64url');
    const file = trialFile(signerFolder, role);
    writeDurably(`${file}.passphrase`, secret);
    writeDurably(file, sealSeeds({ key: seeds[role] ?? '' }, Buffer.from(secret), { salt: randomBytes(16), iv: randomBytes(12) }));
  }
};
