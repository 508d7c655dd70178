/** `cordon policy diff OLD NEW`: the power that a change of a policy gives and takes, and whether it can only take. Needs no daemon. */
import { deltaOf } from '@cordon/policy/delta/delta.ts';
import type { Delta, DeltaEntry } from '@cordon/policy/delta/entry.ts';
import { narrowsSets, type SetVerdict } from '@cordon/policy/delta/sets/narrows-sets.ts';
import { usualLaunch } from '@cordon/policy/delta/sets/valuations.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { preparePolicy } from '@cordon/policy/document/prepare.ts';
import type { PreparedPolicy } from '@cordon/policy/document/prepared.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import type { OperatingSystem, Subject } from '@cordon/policy/effective.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { resolve } from '@cordon/policy/resolve.ts';
import { visible } from '@cordon/policy/visible.ts';
import { readDocumentFile } from './documents.ts';

/** Something is gained, or nobody can tell for every launch. */
const WIDER_STATUS = 3;

export interface DiffOptions {
  readonly agent: string | undefined;
  readonly os: string | undefined;
  readonly json: boolean;
}

const parsedOf = (text: string, file: string): PolicyDocument => {
  try {
    return parsePolicy(text).document;
  } catch (cause) {
    if (!(cause instanceof CordonError)) throw cause;
    throw new CordonError(cause.code, `${file}: ${cause.message}`, { place: file, cause });
  }
};

const prepared = (file: string, revision: number, maxBytes: number): PreparedPolicy => {
  const document = parsedOf(readDocumentFile(file, maxBytes, 'followed'), file);
  return preparePolicy({ policy: 'pol_compared', name: document.metadata.name, revision, document, because: [] });
};

const systemFrom = (text: string): OperatingSystem => {
  if (text === 'linux' || text === 'macos' || text === 'windows') return text;
  throw new CordonError('cli.usage', `--os is linux, macos or windows, not ${text}`);
};

/** Whom the policies are about: the first that either names, and anyone where neither does. */
const namedIn = (policies: readonly PreparedPolicy[], list: 'agents' | 'users' | 'os', otherwise: string): string =>
  policies.flatMap(({ match }) => [...match[list]]).find((name) => name !== '*') ?? otherwise;

const said = (sign: string, { category, target, cause, detail }: DeltaEntry): string =>
  visible(`${sign} ${category.padEnd(22)} ${target}   ${cause}: ${detail}`);

const verdictText = (verdict: SetVerdict): string => {
  switch (verdict.verdict) {
    case 'yes':
      return 'narrower or the same, for every agent, user and system';
    case 'undecided':
      return `undecided whether it is narrower: ${verdict.why}`;
    case 'no': {
      const { subject, gain } = verdict.witness;
      return `wider: agent ${subject.agent.id} of user ${subject.user} on ${subject.os} gains ${gain.category} ${gain.target}`;
    }
  }
};

const print = (subject: Subject, { gained, lost }: Delta, verdict: SetVerdict, json: boolean): void => {
  if (json) {
    process.stdout.write(`${JSON.stringify({ subject, gained, lost, narrower: verdict })}\n`);
    return;
  }
  const lines = [...gained.map((entry) => said('+', entry)), ...lost.map((entry) => said('-', entry))];
  const { agent, user, os } = subject;
  const whom = visible(`agent ${agent.id} of user ${user} on ${os}`);
  process.stdout.write(lines.length === 0 ? `no difference of power for ${whom}\n` : `for ${whom}:\n${lines.join('\n')}\n`);
  process.stdout.write(`${visible(verdictText(verdict))}\n`);
};

/** @returns 0 when the new one is proven to grant nothing that the old one does not, 3 otherwise */
export const diffPolicies = (older: string, newer: string, maxBytes: number, { agent, os, json }: DiffOptions): number => {
  const [before, after] = [prepared(older, 1, maxBytes), prepared(newer, 2, maxBytes)];
  const both = [before, after];
  const subject: Subject = {
    agent: { id: agent ?? namedIn(both, 'agents', 'some-agent'), proof: 'proven' },
    user: namedIn(both, 'users', 'some-user'),
    os: systemFrom(os ?? namedIn(both, 'os', 'linux')),
  };
  const variables = usualLaunch(subject.os);
  const effective = (policy: PreparedPolicy): ReturnType<typeof resolve> =>
    resolve({ policies: [policy], floor: undefined, subject, variables });
  const verdict = narrowsSets({ policies: [before], floor: undefined }, { policies: [after], floor: undefined });
  print(subject, deltaOf(effective(before), effective(after)), verdict, json);
  return verdict.verdict === 'yes' ? 0 : WIDER_STATUS;
};
