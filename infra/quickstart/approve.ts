/** A change that gives agents more: proposed, approved with the approver's own key, published. */
import type { Api } from './api.ts';
import type { ControlPlane } from './services.ts';

export interface Published {
  readonly changeSet: string;
  readonly serial: number;
}

/** What `cordonctl approve` printed, line by line. */
export interface Approval {
  readonly proposal: string;
  readonly said: readonly string[];
}

/** Freezes the draft and signs it with the approver's key, by the very command that an approver uses. @throws when it was not signed */
export const approve = async (plane: ControlPlane, api: Api, title: string): Promise<Approval> => {
  const { id } = await api.post<{ id: string }>('/proposals', { title });
  const { status, stdout, stderr } = await plane.cordonctl(['approve', id, '--key', plane.approverKey, '--yes']);
  if (status !== 0) throw new Error(`cordonctl approve ended with ${String(status)}: ${stderr}${stdout}`);
  return { proposal: id, said: stdout.trimEnd().split('\n') };
};

/** Puts exactly what was approved in force. */
export const publishProposal = async (api: Api, title: string, proposal: string): Promise<Published> => {
  try {
    return await api.post<Published>('/publish', { title, proposal });
  } catch (error) {
    // The answer was lost on its way, and the second request came too late.
    if (!(error instanceof Error && error.message.includes('proposal.published'))) throw error;
    const { changeSet } = await api.get<{ changeSet: string }>(`/proposals/${proposal}`);
    return { changeSet, serial: (await api.get<{ serial: number }>(`/change-sets/${changeSet}`)).serial };
  }
};

export const publishApproved = async (plane: ControlPlane, api: Api, title: string): Promise<Published> =>
  publishProposal(api, title, (await approve(plane, api, title)).proposal);
