/** An effective policy made ready for many questions: the egress proxy, `cordon why`, the simulation and the control plane ask the same thing. */
import { isLoaderVariable } from '../builtin.ts';
import type { EffectivePolicy, Explanation, OperatingSystem, Right } from '../effective.ts';
import { canonicalHost } from '../match/host.ts';
import { canonicalPath } from '../match/path.ts';
import { indexEgress, type EgressIndex, type HttpRequest } from './egress.ts';
import { judge } from './judge.ts';
import { indexPaths, type Access, type PathIndex } from './paths.ts';

export interface Decider {
  readonly effective: EffectivePolicy;
  readonly paths: PathIndex;
  readonly egress: EgressIndex;
  /** @throws CordonError `path.invalid` for a path that is not absolute */
  path(path: string, access: Access): Explanation;
  /** @throws CordonError `host.invalid` */
  host(host: string, port: number, http?: HttpRequest): Explanation;
  right(right: Right): Explanation;
  /** A variable of the caller's environment. */
  variable(name: string): Explanation;
}

const once = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => (made ??= make());
};

/** Windows compares names of variables without case, so a deny of one spelling is a deny of all. */
const comparedNames = (os: OperatingSystem): ((name: string) => string) =>
  os === 'windows' ? (name) => name.toUpperCase() : (name) => name;

/** @returns names of the caller's variables that may be passed on; never one that changes what programs load or run, even if a policy slipped through with it */
export const allowedVariables = ({ subject, environment, environmentLimits, refused }: EffectivePolicy): readonly string[] => {
  if (refused !== undefined) return [];
  const compared = comparedNames(subject.os);
  const denied = new Set(environment.filter(({ effect }) => effect === 'deny').map(({ name }) => compared(name)));
  const limits = environmentLimits.map(({ names }) => new Set(names.map(compared)));
  const allowed = new Set(environment.filter(({ effect }) => effect === 'allow').map(({ name }) => name));
  return [...allowed].filter(
    (name) => !isLoaderVariable(name) && !denied.has(compared(name)) && limits.every((limit) => limit.has(compared(name))),
  );
};

export const createDecider = (effective: EffectivePolicy): Decider => {
  const { subject, refused, rights, rightLimits, environment, environmentLimits } = effective;
  const compared = comparedNames(subject.os);
  // Made when first asked for: a launch asks about names and rights alone.
  const paths = once(() => indexPaths(effective));
  const egress = once(() => indexEgress(effective));
  const refusal = (target: string): Explanation | undefined =>
    refused === undefined
      ? undefined
      : {
          verdict: 'denied',
          target,
          rule: refused.origin,
          effect: refused.origin === undefined ? 'default' : 'deny',
          reason: `nothing starts here: ${refused.message}`,
          shadowed: [],
          decisive: [],
          without: [],
        };
  return {
    effective,
    get paths() {
      return paths();
    },
    get egress() {
      return egress();
    },
    path: (path, access) => {
      const target = canonicalPath(path, subject.os);
      return refusal(target) ?? judge(paths().judged(target, access));
    },
    host: (host, port, http) => {
      const judged = egress().judged(canonicalHost(host), port, http);
      return refusal(judged.target) ?? judge(judged);
    },
    right: (right) =>
      refusal(right) ??
      judge({
        target: right,
        denies: rights.filter((rule) => rule.right === right && rule.effect === 'deny').map(({ origin }) => origin),
        brokenLimits: rightLimits
          .filter(({ bounds, permits }) => bounds.includes(right) && !permits.includes(right))
          .map(({ origin }) => origin),
        allows: rights.filter((rule) => rule.right === right && rule.effect === 'allow').map(({ origin }) => origin),
      }),
    variable: (name) => {
      const is = (other: string): boolean => compared(other) === compared(name);
      const said = environment.filter((rule) => is(rule.name));
      return (
        refusal(name) ??
        judge({
          target: name,
          denies: said.filter(({ effect }) => effect === 'deny').map(({ origin }) => origin),
          brokenLimits: environmentLimits.filter(({ names }) => !names.some(is)).map(({ origin }) => origin),
          allows: said.filter(({ effect }) => effect === 'allow').map(({ origin }) => origin),
        })
      );
    },
  };
};
