/** The approver of a throw-away organisation: signs what is proposed, as a person does with `cordonctl approve`. */
import { signApproval } from '@cordon/policy/approval/signed-approval.ts';
import type { ApprovalPayload } from '@cordon/policy/approval/approval.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import { openSeeds } from '@cordon/policy/trust/sealed-seeds.ts';
import fs from 'node:fs';
import path from 'node:path';
import { trialApproverFile } from '../src/signer/trial-approver.ts';

/** @param stateDir of the control plane that made the organisation */
export const approverOf = (stateDir: string): KeyPair => {
  const file = trialApproverFile(path.join(stateDir, 'signer'));
  const { key = '' } = openSeeds(fs.readFileSync(file, 'utf8'), fs.readFileSync(`${file}.passphrase`));
  return keyPairFromSeed(Buffer.from(key, 'base64url'));
};

interface Said {
  readonly status: number;
  readonly body: object;
}
/** POST below /api/v1. */
export type Post = (path: string, body: object) => Promise<Said>;

export const codeOf = ({ body }: Said): string | undefined => ('code' in body && typeof body.code === 'string' ? body.code : undefined);

/** Signs exactly what the proposal asks for. */
export const signProposal = async (
  { id, payload }: { readonly id: string; readonly payload: string },
  keys: readonly KeyPair[],
  post: Post,
): Promise<Said> => post(`/proposals/${id}/signatures`, { jws: await signApproval(JSON.parse(payload) as ApprovalPayload, keys) });

const MOST_TRIES = 30;
/** Others published between proposing and publishing. */
const OVERTAKEN = 'proposal.superseded';

/** Publishes the draft with the approval of the organisation's only approver: proposed, signed, published. @returns the last answer */
export const publishApproved = async <T extends Said>(
  post: (path: string, body: object) => Promise<T>,
  approver: () => KeyPair,
  body: object,
): Promise<T> => {
  for (let tries = 1; ; tries += 1) {
    const proposed = await post('/proposals', { title: 'Test' });
    // It is what was approved last.
    if (codeOf(proposed) === 'proposal.nothing') return post('/publish', body);
    if (proposed.status !== 201) return proposed;
    const proposal = proposed.body as { id: string; payload: string };
    const signed = await signProposal(proposal, [approver()], post);
    const done = signed.status === 200 ? await post('/publish', { ...body, proposal: proposal.id }) : (signed as T);
    if (codeOf(done) !== OVERTAKEN && codeOf(signed) !== OVERTAKEN) return done;
    if (tries === MOST_TRIES) return done;
  }
};
