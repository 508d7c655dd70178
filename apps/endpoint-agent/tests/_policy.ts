/** Policies as text for tests, understood by the functions that a device uses. */
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { preparePolicy } from '@cordon/policy/document/prepare.ts';
import type { EffectivePolicy, PathVariables } from '@cordon/policy/effective.ts';
import { resolve } from '@cordon/policy/resolve.ts';

export const policyText = (spec: string): string => `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: story }
spec:
${spec.replaceAll(/^/gm, '  ')}
`;

const NOWHERE: PathVariables = { home: '/home/dev', workspace: '/home/dev/project', tmp: '/tmp', tools: [], agent: [] };

/** What one policy comes to. @param spec what stands under `spec:` */
export const effectiveOf = (spec: string, user = 'dev', variables: PathVariables = NOWHERE): EffectivePolicy =>
  resolve({
    policies: [
      preparePolicy({ policy: 'pol_story', name: 'story', revision: 1, document: parsePolicy(policyText(spec)).document, because: [] }),
    ],
    floor: undefined,
    subject: { agent: { id: 'unknown', proof: 'claimed' }, user, os: 'linux' },
    variables,
  });
