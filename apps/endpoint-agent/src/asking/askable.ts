/** What an exception could give at all: something that is denied, by what may be suspended or added to. */
import type { Decider } from '@cordon/policy/decide/decider.ts';
import type { RuleOrigin } from '@cordon/policy/effective.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Explained } from '../runs/why.ts';

const WHY: Partial<Readonly<Record<RuleOrigin['source'], readonly [code: string, message: string]>>> = {
  builtin: ['request.never', 'is protected on every device: no policy and no exception can give it'],
  floor: ['request.never', "is denied by the organisation's floor, which no exception can suspend"],
  manifest: ['request.manifest', "is outside the program's own manifest: change that, or run it without"],
  parent: ['request.parent', 'is not for the run that this one is inside: ask for that one'],
};

/** @throws CordonError `request.allowed`, `request.never`, `request.manifest`, `request.parent`, `request.refused` */
export const requireAskable = ({ effective, paths, egress }: Decider, { access, explanation, host, port }: Explained): void => {
  const { target, verdict } = explanation;
  if (verdict === 'allowed') throw new CordonError('request.allowed', `${target} is allowed already: see cordon why`);
  if (effective.refused !== undefined)
    throw new CordonError(
      'request.refused',
      `nothing starts for this agent here, so there is nothing to add to: ${effective.refused.message}`,
    );
  const { denies, brokenLimits } =
    access === 'network' ? egress.judged(host, port) : paths.judged(target, access === 'write' ? 'write' : 'read');
  for (const { source } of [...denies, ...brokenLimits]) {
    const why = WHY[source];
    if (why !== undefined) throw new CordonError(why[0], `${target} ${why[1]}`);
  }
};
