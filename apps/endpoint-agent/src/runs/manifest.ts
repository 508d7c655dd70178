/** A run under its program's manifest: what policies give and the program asks for, or no run at all where what it requires is not granted. */
import type { EffectivePolicy, Subject } from '@cordon/policy/effective.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { applyManifest } from '@cordon/policy/manifest/apply.ts';
import type { AgentManifest } from '@cordon/policy/manifest/schema.ts';
import { unmetNeeds } from '@cordon/policy/manifest/unmet.ts';
import type { Account } from '../local-api/accounts.ts';
import { variablesOf } from './subject.ts';

/**
 * What the caller sent. It only narrows, so it needs no trust: a bad one costs its own caller the run. The parser is loaded when the first manifest comes.
 * @throws PolicyErrors `manifest.invalid`
 */
export const readManifest = async (text: string | undefined): Promise<AgentManifest | undefined> =>
  text === undefined ? undefined : (await import('@cordon/policy/manifest/parse.ts')).parseManifest(text).document;

/** What a manifest says its program is counts as the caller's claim, where neither the program nor the caller says more. */
export const claimedBy = (manifest: AgentManifest | undefined, subject: Subject, claimed: string | undefined): Subject => {
  const id = manifest?.metadata.agent;
  return id === undefined || claimed !== undefined || subject.agent.proof === 'proven'
    ? subject
    : { ...subject, agent: { id, proof: 'claimed' } };
};

/** @returns the policy with the manifest applied, or the policy itself where there is none */
export const underManifest = (
  effective: EffectivePolicy,
  manifest: AgentManifest | undefined,
  cwd: string,
  account: Account,
): EffectivePolicy =>
  manifest === undefined ? effective : applyManifest(effective, manifest, variablesOf(cwd, account, effective.subject.agent.id));

const MOST_NAMED = 5;

/** @throws CordonError `launch.manifest-agent`, `launch.need-unmet` */
export const requireNeeds = (effective: EffectivePolicy, manifest: AgentManifest | undefined, cwd: string, account: Account): void => {
  if (manifest === undefined || effective.refused !== undefined) return;
  const { agent }: Subject = effective.subject;
  const { name, agent: meant } = manifest.metadata;
  if (meant !== undefined && agent.proof === 'proven' && agent.id !== meant)
    throw new CordonError('launch.manifest-agent', `the manifest ${name} is for agent ${meant}, and this is ${agent.id}: give it its own`);
  const unmet = unmetNeeds(effective, manifest, variablesOf(cwd, account, agent.id));
  if (unmet.length === 0) return;
  const named = unmet.slice(0, MOST_NAMED).map(({ need, explanation }) => `${need} (${explanation.reason})`);
  const more = unmet.length > MOST_NAMED ? `; and ${unmet.length - MOST_NAMED} more` : '';
  throw new CordonError(
    'launch.need-unmet',
    `the manifest ${name} requires what is not granted: ${named.join('; ')}${more}. Ask the policy's owner for it, or declare it optional if the program works without`,
  );
};
