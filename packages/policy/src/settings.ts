/** Statements of which the strictest counts, whoever makes it. */
import type { PreparedPolicy } from './document/prepared.ts';
import { EXPIRIES, ISOLATIONS, PRIVACY, UNCONTAINED, type OnExpiry, type Resources, type Settings, type Stated } from './effective.ts';

/** How long runs go on under a policy that became tighter for them, unless somebody says. */
export const DEFAULT_GRACE_MS = 60_000;

/** The last of `order` that is stated; the first when nothing is. */
export const strictest = <T extends string>(order: readonly [T, ...T[]], stated: readonly (T | undefined)[]): T =>
  order.findLast((value) => stated.includes(value)) ?? order[0];

/** The smallest statement; of equal ones the first in the order of policies. */
export const smallest = (stated: readonly (Stated<number> | undefined)[]): Stated<number> | undefined => {
  let least: Stated<number> | undefined;
  for (const statement of stated) if (statement !== undefined && (least === undefined || statement.value < least.value)) least = statement;
  return least;
};

export const resourcesOf = (policies: readonly PreparedPolicy[]): Resources => ({
  timeoutMs: smallest(policies.map((policy) => policy.timeoutMs)),
  memoryBytes: smallest(policies.map((policy) => policy.memoryBytes)),
  cpus: smallest(policies.map((policy) => policy.cpus)),
  processes: smallest(policies.map((policy) => policy.processes)),
  uploadBytes: smallest(policies.map((policy) => policy.uploadBytes)),
  downloadBytes: smallest(policies.map((policy) => policy.downloadBytes)),
});

export const settingsOf = (policies: readonly PreparedPolicy[]): Omit<Settings, 'onExpiry'> => {
  const isolation = strictest(
    ISOLATIONS,
    policies.map((policy) => policy.isolation?.value),
  );
  const graces = policies.flatMap((policy) => policy.graceMs ?? []);
  return {
    isolation: policies.find((policy) => policy.isolation?.value === isolation)?.isolation,
    graceMs: graces.length === 0 ? DEFAULT_GRACE_MS : Math.min(...graces),
    uncontained: strictest(
      UNCONTAINED,
      policies.map((policy) => policy.uncontained),
    ),
    privacy: {
      paths: strictest(
        PRIVACY.paths,
        policies.map((policy) => policy.privacy.paths),
      ),
      hosts: strictest(
        PRIVACY.hosts,
        policies.map((policy) => policy.privacy.hosts),
      ),
      users: strictest(
        PRIVACY.users,
        policies.map((policy) => policy.privacy.users),
      ),
    },
  };
};

/** Going on for ever under an expired policy needs the floor's own word; unless somebody says, nothing new starts. */
export const expiryOf = (policies: readonly PreparedPolicy[], floors: readonly PreparedPolicy[]): OnExpiry => {
  const stated = policies.flatMap((policy) => policy.onExpiry ?? []);
  const value = stated.length === 0 ? 'tighten' : strictest(EXPIRIES, stated);
  return value === 'hold' && !floors.some((floor) => floor.onExpiry === 'hold') ? 'tighten' : value;
};
