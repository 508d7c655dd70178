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
  for (const { control, state, gap, why } of plan.controls) {
    expect({ control, hasGap: gap !== undefined }).toEqual({ control, hasGap: state !== 'enforced' });
    expect({ control, gap: state === 'approximated' ? gap : 'wider' }).toEqual({ control, gap: 'wider' });
    expect(why).not.toBe('');
  }
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

/** A path that nothing of the host lies at: in the sandbox's own empty folder. */
export type Private = (path: string) => boolean;

/** The request reaches no path that the policy denies, unless the plan says of the control that it may. */
export const reachesNothingDenied = (plan: Plan, effective: EffectivePolicy, reach: Reach, isPrivate: Private = () => false): void => {
  const { paths } = createDecider(effective);
  for (const path of askedPaths(effective.subject.os))
    for (const access of ['read', 'write'] as const) {
      if (isPrivate(path) || !reach(path, access) || paths.allows(path, access)) continue;
      const { control, gap } = report(plan, controlOf(effective, path, access));
      expect({ path, access, control, gap }).toEqual({ path, access, control, gap: 'wider' });
    }
};

/** The request gives every path that the policy allows. */
export const reachesEverythingAllowed = (effective: EffectivePolicy, reach: Reach, isPrivate: Private = () => false): void => {
  const { paths } = createDecider(effective);
  for (const path of askedPaths(effective.subject.os))
    for (const access of ['read', 'write'] as const)
      if (!isPrivate(path) && paths.allows(path, access))
        expect({ path, access, reached: reach(path, access) }).toEqual({ path, access, reached: true });
};
