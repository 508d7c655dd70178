/** What a run of this account would be allowed, and why: the same decision as for a run. */
import path from 'node:path';
import { createDecider, type Decider } from '@cordon/policy/decide/decider.ts';
import { RIGHTS, type Explanation } from '@cordon/policy/effective.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalHost } from '@cordon/policy/match/host.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Account } from '../local-api/accounts.ts';
import type { Request } from '../local-api/protocol.ts';
import { auditFor, effectiveFor, type PolicyFor } from './decide.ts';
import { claimedBy, readManifest, underManifest } from './manifest.ts';

type WhyRequest = Extract<Request, { op: 'why' }>;

/** Of a path or a host that was asked about. */
export interface Explained {
  readonly access: 'read' | 'write' | 'network';
  readonly explanation: Explanation;
  /** Where it is about the network. */
  readonly host: string;
  readonly port: number;
}

/** It holds a slash or begins with a dot or a tilde, or something is to be written to it. */
const isPath = ({ target, access }: Pick<WhyRequest, 'target' | 'access'>): boolean =>
  (target.includes('/') && !target.includes('://')) || /^[.~]/.test(target) || access === 'write';

/** What this account would be under, at that place. @throws CordonError `launch.no-bundle` */
export const deciderFor = async (
  state: VerifiedState | undefined,
  { cwd, agent, manifest: text }: Pick<WhyRequest, 'cwd' | 'agent' | 'manifest'>,
  account: Account,
  policyFor: PolicyFor = effectiveFor,
): Promise<Decider> => {
  const manifest = await readManifest(text);
  const asked = { agent: { id: agent ?? 'unknown', proof: 'claimed' }, user: account.name, os: 'linux' } as const;
  const subject = claimedBy(manifest, asked, agent);
  return createDecider(underManifest(policyFor(state, subject, cwd, account), manifest, cwd, account));
};

/** A path, or a host with its port. @throws CordonError `why.target`, `path.invalid`, `host.invalid` */
export const explainBy = (decider: Decider, request: Pick<WhyRequest, 'target' | 'access' | 'cwd'>, home: string): Explained => {
  const { target, access, cwd } = request;
  if (isPath(request)) {
    const place = path.resolve(cwd, target.replace(/^~(?=\/|$)/, home));
    return { access, explanation: decider.path(place, access), host: '', port: 0 };
  }
  const match = /^(\[[^\]]*\]|[^:]+)(?::(\d{1,5}))?$/.exec(target);
  const port = Number(match?.[2] ?? 443);
  if (match === null || port < 1 || port > 65_535)
    throw new CordonError(
      'why.target',
      `${target} is neither a path, a host with an optional port such as github.com:443, a control such as ui.windows, nor a variable such as $LANG`,
    );
  const host = canonicalHost(match[1] ?? '');
  return { access: 'network', explanation: decider.host(host, port), host, port };
};

const explainWith = (decider: Decider, request: WhyRequest, account: Account): Explanation => {
  const { target } = request;
  const right = RIGHTS.find((name) => name === target);
  if (right !== undefined) return decider.right(right);
  if (target.startsWith('$')) return decider.variable(target.slice(1));
  return explainBy(decider, request, account.home).explanation;
};

export interface Answered {
  readonly explanation: Explanation;
  /** What policies in audit mode would make of it, where that is something else. */
  readonly audited?: Explanation;
}

/** The name of a control, a variable with `$` before it, a path or a host. @throws CordonError `why.target`, `launch.no-bundle` */
export const explainTarget = async (state: VerifiedState | undefined, request: WhyRequest, account: Account): Promise<Answered> => {
  const explanation = explainWith(await deciderFor(state, request, account), request, account);
  if (state?.prepared.some(({ mode }) => mode === 'audit') !== true) return { explanation };
  const audited = explainWith(await deciderFor(state, request, account, auditFor), request, account);
  return audited.verdict === explanation.verdict ? { explanation } : { explanation, audited };
};
