/** The body of a denial: which rule, whose policy, and how to ask. */
import type { RuleOrigin } from '@cordon/policy/effective.ts';
import type { Rules } from './rules.ts';
import type { Target } from './target.ts';

export interface Denied {
  readonly status: 403 | 502;
  readonly body: string;
}

const hostPort = ({ host, port }: Target): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** Who answers for what no rule says: whoever owns a policy that has a say here. */
const ownersOf = ({ owners }: Rules, policy: string | undefined): { owner?: string; contact?: string } => {
  const named = policy === undefined ? Object.values(owners) : [owners[policy] ?? {}];
  const joined = (key: 'owner' | 'contact'): string => [...new Set(named.flatMap((owner) => owner[key] ?? []))].join(', ');
  return { ...(joined('owner') !== '' && { owner: joined('owner') }), ...(joined('contact') !== '' && { contact: joined('contact') }) };
};

/** @param rule undefined: nothing allows it, or it is no rule's doing */
export const denial = (
  status: Denied['status'],
  code: string,
  reason: string,
  target: Target,
  rule: RuleOrigin | undefined,
  rules: Rules,
): Denied => {
  const { owner, contact } = ownersOf(rules, rule?.policy);
  const place = hostPort(target);
  const whom = owner === undefined ? 'the owner of the policy' : `${owner}${contact === undefined ? '' : ` (${contact})`}`;
  return {
    status,
    body: `${JSON.stringify({
      error: code,
      host: target.host,
      port: target.port,
      policy: rule?.policy ?? '',
      rule: rule?.rule ?? 'default-deny',
      ...(owner !== undefined && { owner }),
      ...(contact !== undefined && { contact }),
      reason,
      help: `ask ${whom}: cordon request ${place}; to see why: cordon why ${place}`,
    })}\n`,
  };
};

/** The body of an answer that no rule is the reason of. */
export const problem = (code: string, reason: string): string => `${JSON.stringify({ error: code, reason })}\n`;
