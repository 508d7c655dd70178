/** Laws that hold for the plans of every backend. For tests only. */
import { expect } from 'vitest';
import { askedPaths } from '../_arbitrary-policy.ts';
import { createDecider } from '../decide/decider.ts';
import { CONTROLS, type Control } from '../document/controls.ts';
import type { EffectivePolicy } from '../effective.ts';
import { isWithin } from '../match/path.ts';
import type { Compiled, ControlReport } from '../launch-plan.ts';
import type { Reach } from './_sandbox-model.ts';

type Plan = Compiled<string, unknown>;

export const report = ({ controls }: Plan, control: Control): ControlReport => {
  const found = controls.find((candidate) => candidate.control === control);
  if (found === undefined) throw new Error(`no report of ${control}`);
  return found;
};

/** Every control once, in order; a gap exactly where something is not enforced, and a reason always. */
export const reportsEveryControl = (plan: Plan): void => {
  expect(plan.controls.map(({ control }) => control)).toEqual(CONTROLS);
  const odd = plan.controls.filter(
    ({ state, gap, why }) => why === '' || (state === 'enforced') !== (gap === undefined) || (state === 'approximated' && gap !== 'wider'),
  );
  expect(odd).toEqual([]);
};

/** `unmet` is what is required and not enforced, and isolation that is too weak. */
export const refusesWhatIsNotEnforced = (plan: Plan, effective: EffectivePolicy): void => {
  const enforced = new Set(plan.controls.filter(({ state }) => state === 'enforced').map(({ control }) => control));
  expect(plan.unmet.map(({ control }) => control).sort()).toEqual(
    [...new Set([...effective.required, 'isolation'])].filter((control) => !enforced.has(control)).sort(),
  );
};

/** Which control speaks for a path: what denies it, or else what grants. */
const controlOf = (effective: EffectivePolicy, path: string, access: 'read' | 'write'): Control => {
  const denies = effective.paths.filter((rule) => rule.effect === 'deny' && isWithin(path, rule.path, effective.subject.os));
  if (denies.some((rule) => rule.access === 'access')) return 'filesystem.deny';
  return access === 'read' ? 'filesystem.read' : denies.length > 0 ? 'filesystem.protect' : 'filesystem.write';
};

const asked = ({ subject: { os } }: EffectivePolicy): readonly { readonly path: string; readonly access: 'read' | 'write' }[] =>
  askedPaths(os).flatMap((path) => [
    { path, access: 'read' as const },
    { path, access: 'write' as const },
  ]);

/** A path that nothing of the host lies at: in the sandbox's own empty folder. */
export type Private = (path: string) => boolean;

/** The request reaches no path that the policy denies, unless the plan says of the control that it may. */
export const reachesNothingDenied = (plan: Plan, effective: EffectivePolicy, reach: Reach, isPrivate: Private = () => false): void => {
  const { paths } = createDecider(effective);
  const denied = asked(effective).filter(({ path, access }) => !isPrivate(path) && reach(path, access) && !paths.allows(path, access));
  const unsaid = denied
    .map(({ path, access }) => ({ path, access, control: controlOf(effective, path, access) }))
    .filter(({ control }) => report(plan, control).gap !== 'wider');
  expect(unsaid).toEqual([]);
};

/** The request gives every path that the policy allows. */
export const reachesEverythingAllowed = (effective: EffectivePolicy, reach: Reach, isPrivate: Private = () => false): void => {
  const { paths } = createDecider(effective);
  const lost = asked(effective).filter(({ path, access }) => !isPrivate(path) && paths.allows(path, access) && !reach(path, access));
  expect(lost).toEqual([]);
};
