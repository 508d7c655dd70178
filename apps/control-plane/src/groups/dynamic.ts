/** Members of dynamic groups follow what is known of devices: in bulk, one statement a group, whatever the number of devices. */
import { movesWithTime } from '@cordon/policy/filter/filter.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context, Tx } from '../context.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { parseRule } from './rule.ts';
import { lockDynamicGroups, moveMembers, type DynamicGroup } from './rule-store.ts';

/** Of an audit entry: so many devices are named, the others counted. */
const NAMED = 20;

interface Look {
  /** Only these; without it, all. */
  readonly devices?: readonly string[];
  /** Only groups whose rule means something else as time goes by. */
  readonly moving?: boolean;
}

/** Puts the right devices into one group. @returns whose membership changed */
export const follow = async (tx: Tx, group: DynamicGroup, at: Date, devices?: readonly string[]): Promise<readonly string[]> => {
  const { joined, left } = await moveMembers(tx, group.id, parseRule(group.rule), at, devices);
  if (joined.length + left.length > 0)
    await appendAudit(tx, {
      actor: 'system',
      action: 'group.follow-rule',
      subject: group.id,
      detail: {
        group: group.name,
        rule: group.rule,
        joined: joined.length,
        left: left.length,
        devices: [...joined, ...left].slice(0, NAMED),
      },
      at,
    });
  return [...joined, ...left];
};

/** In the caller's transaction, who places the devices after its commit. @returns whose membership changed */
export const followRules = async (tx: Tx, at: Date, { devices, moving = false }: Look = {}): Promise<ReadonlySet<string>> => {
  const changed = new Set<string>();
  for (const group of await lockDynamicGroups(tx)) {
    if (moving && !movesWithTime(parseRule(group.rule))) continue;
    for (const device of await follow(tx, group, at, devices)) changed.add(device);
  }
  return changed;
};

/** After a change of what rules look at has committed. A failure is thrown, and the hourly look at all rules repairs what it left. */
export const refreshMembers = async (context: Context, look: Look = {}): Promise<void> => {
  const changed = await context.prisma.$transaction((tx) => followRules(tx, context.clock(), look), { timeout: 60_000 });
  if (changed.size > 0) await onMembershipChanged(context, [...changed]);
};
