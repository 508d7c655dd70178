/** What a run of this account would be allowed, and why: the same decision as for a run. */
import path from 'node:path';
import { createDecider } from '@cordon/policy/decide/decider.ts';
import { RIGHTS, type Explanation } from '@cordon/policy/effective.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Account } from '../local-api/accounts.ts';
import type { Request } from '../local-api/protocol.ts';
import { effectiveFor } from './decide.ts';
import { claimedBy, readManifest, underManifest } from './manifest.ts';

type WhyRequest = Extract<Request, { op: 'why' }>;

/** The name of a control, a variable with `$` before it, or a path: it holds a slash or begins with a dot or a tilde, and nothing else is written to. Everything else is a host. @throws CordonError `why.target`, `launch.no-bundle` */
export const explainTarget = async (state: VerifiedState | undefined, request: WhyRequest, account: Account): Promise<Explanation> => {
  const { target, access, cwd, agent } = request;
  const manifest = await readManifest(request.manifest);
  const asked = { agent: { id: agent ?? 'unknown', proof: 'claimed' }, user: account.name, os: 'linux' } as const;
  const subject = claimedBy(manifest, asked, agent);
  const effective = underManifest(effectiveFor(state, subject, cwd, account), manifest, cwd, account);
  const decider = createDecider(effective);
  const right = RIGHTS.find((name) => name === target);
  if (right !== undefined) return decider.right(right);
  if (target.startsWith('$')) return decider.variable(target.slice(1));
  if ((target.includes('/') && !target.includes('://')) || /^[.~]/.test(target) || access === 'write')
    return decider.path(path.resolve(cwd, target.replace(/^~(?=\/|$)/, account.home)), access);
  const match = /^(\[[^\]]*\]|[^:]+)(?::(\d{1,5}))?$/.exec(target);
  const port = Number(match?.[2] ?? 443);
  if (match === null || port < 1 || port > 65_535)
    throw new CordonError(
      'why.target',
      `${target} is neither a path, a host with an optional port such as github.com:443, a control such as ui.windows, nor a variable such as $LANG`,
    );
  return decider.host(match[1] ?? '', port);
};
